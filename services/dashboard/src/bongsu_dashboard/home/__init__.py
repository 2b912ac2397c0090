"""The first page: figures, recent items and the next steps."""
