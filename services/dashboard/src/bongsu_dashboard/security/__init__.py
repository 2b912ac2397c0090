"""Passwords, addresses and other credentials of accounts."""
