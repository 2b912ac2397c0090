"""The history of auth's tables (alembic): see `versions/`."""

from bongsu.runtime.revisions import MigrationSet

MIGRATIONS = MigrationSet("auth", "bongsu_auth.migrations")
