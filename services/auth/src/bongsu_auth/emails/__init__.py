"""Changing the address of an account."""
