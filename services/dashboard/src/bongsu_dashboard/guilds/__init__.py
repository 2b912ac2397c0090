"""Discord servers that the user manages, and the bot's state in them."""
