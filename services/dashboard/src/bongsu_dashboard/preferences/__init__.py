"""Theme and language, chosen in this browser."""
