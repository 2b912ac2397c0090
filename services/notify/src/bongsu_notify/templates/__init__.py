"""Notify's own templates: what the services themselves write to people."""
