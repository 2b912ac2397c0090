"""The history of the bot's tables."""

from bongsu.runtime.revisions import MigrationSet

MIGRATIONS = MigrationSet("bot", "bongsu_bot.migrations")
