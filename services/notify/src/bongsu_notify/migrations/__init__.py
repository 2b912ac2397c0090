"""The history of notify's tables."""

from bongsu.runtime.migrations import MigrationSet

MIGRATIONS = MigrationSet("notify", "bongsu_notify.migrations")
