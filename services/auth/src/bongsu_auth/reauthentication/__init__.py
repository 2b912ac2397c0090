"""Proving once more who one is, before credentials change."""
