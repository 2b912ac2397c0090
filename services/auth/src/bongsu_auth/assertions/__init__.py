"""A user's word for one action, by which a service acts in another on their behalf."""
