"""Signing in with an account at a provider, linking it, and adding the bot to a Discord guild."""
