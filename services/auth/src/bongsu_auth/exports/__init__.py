"""A copy of what every service keeps of a user."""
