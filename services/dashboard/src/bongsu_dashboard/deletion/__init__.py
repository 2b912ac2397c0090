"""Downloading the data of an account, and deleting it."""
