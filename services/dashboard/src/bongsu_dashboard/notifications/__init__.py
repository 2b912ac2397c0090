"""The user's notifications, as notify keeps them."""
