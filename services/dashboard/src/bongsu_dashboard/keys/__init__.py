"""API keys of the signed-in user."""
