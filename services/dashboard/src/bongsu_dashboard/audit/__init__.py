"""The audit log of every user, for managers and administrators."""
