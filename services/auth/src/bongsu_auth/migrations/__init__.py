"""The history of auth's tables (alembic): see `versions/`."""
