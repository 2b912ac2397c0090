"""Renewing a browser's session while it goes from one page to the next."""
