"""Signing in through a provider for API clients, which get a one-time code instead of cookies."""
