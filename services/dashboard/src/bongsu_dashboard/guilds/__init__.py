"""Discord servers: which of them the user manages, and whether the bot is in them."""
