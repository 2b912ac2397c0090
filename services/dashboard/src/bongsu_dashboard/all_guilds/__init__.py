"""All servers that the bot is in, for administrators of the project."""
