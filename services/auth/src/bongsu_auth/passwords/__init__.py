"""Setting, changing and resetting a password."""
