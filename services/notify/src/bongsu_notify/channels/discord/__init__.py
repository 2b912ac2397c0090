"""Messages in channels of Discord servers, and direct messages, sent by the bot."""
