"""Forgetting deleted accounts."""
