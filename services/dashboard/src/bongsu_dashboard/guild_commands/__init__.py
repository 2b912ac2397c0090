"""Which commands of the bot are on in a server."""
