"""Notifications: accepted, queued, sent and followed. Nothing accepted is lost."""
