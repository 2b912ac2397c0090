"""The keys with which programs sign their requests."""
