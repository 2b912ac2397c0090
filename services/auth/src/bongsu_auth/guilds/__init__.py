"""The Discord guilds of a user, and what they may manage."""
