"""Short-lived tokens with which the bot acts for the user of a linked Discord account."""
