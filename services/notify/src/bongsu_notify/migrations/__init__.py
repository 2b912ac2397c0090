"""The history of notify's tables."""

from bongsu.runtime.revisions import MigrationSet

MIGRATIONS = MigrationSet("notify", "bongsu_notify.migrations")
