"""The accounts at providers that are linked to a user."""
