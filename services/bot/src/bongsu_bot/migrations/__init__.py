"""The history of the bot's tables."""
