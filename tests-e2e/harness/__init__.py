"""Stacks for the whole-system tests, and people who use them."""
