"""Blocked accounts and changed roles."""
