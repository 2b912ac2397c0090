"""Adding the bot to a Discord guild."""
