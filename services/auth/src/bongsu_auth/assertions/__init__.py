"""A user's authorisation of one action, with which a service acts in another on the user's behalf."""
