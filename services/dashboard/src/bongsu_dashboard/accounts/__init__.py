"""The user's own account, as auth keeps it."""
