"""The history of auth's tables (alembic): see `versions/`."""

from bongsu.runtime.migrations import MigrationSet

MIGRATIONS = MigrationSet("auth", "bongsu_auth.migrations")
