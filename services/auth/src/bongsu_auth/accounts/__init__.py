"""Sign-up, the proof of an address, and one's own account."""
