"""Sending a message to a channel of a server."""
