"""Keeps what is written about settings outside of the code in step with the settings classes."""
