"""Signing in with an account at a provider: Discord, Google, Kakao."""
