"""The keys that sign access tokens, as others see them."""
