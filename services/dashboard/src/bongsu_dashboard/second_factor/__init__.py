"""Two-step verification: the second step of a sign-in, and turning it on and off."""
