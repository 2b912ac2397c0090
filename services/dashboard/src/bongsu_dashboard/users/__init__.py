"""User administration, for managers and administrators."""
