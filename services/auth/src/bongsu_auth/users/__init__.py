"""Finding, blocking, promoting and approving accounts."""
