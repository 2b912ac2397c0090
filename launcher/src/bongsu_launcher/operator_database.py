"""The database of an operator's command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.process.database import connect_database, mysql_url
from bongsu.process.identity import read_vault
from bongsu.runtime import revisions
from bongsu.runtime.database import as_start_error
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.settings import DOTENV, load
from bongsu_launcher.owners import MIGRATIONS
from bongsu_launcher.settings import LauncherSettings, with_vault_keys
from bongsu_launcher.state import StateFolder


def chosen_url(platform: LauncherSettings, database_url: str | None) -> str:
    """`--database-url`, else the MySQL of the settings, else the one-process mode's file."""
    if database_url is not None:
        return database_url
    if platform.mysql_host is not None:
        return mysql_url(platform).render_as_string(hide_password=False)
    return StateFolder(platform.var).database_url


@asynccontextmanager
async def connect(database_url: str | None, *, current: bool = True) -> AsyncIterator[tuple[Database, Vault]]:
    """Connect to the database; yields it with the vault that decrypts what is in it.

    :param current: require the tables to be up to date.
    :raises StartError: settings, data folder or database cannot be used.
    """
    (platform,) = load(LauncherSettings, dotenv=DOTENV)
    configure_logging(level="ERROR", as_json=False)
    url = chosen_url(platform, database_url)
    vault = read_vault(with_vault_keys(platform))
    async with connect_database(url, slow_query_ms=platform.slow_query_ms) as database:
        if current:
            await revisions.require_current(database.engine, MIGRATIONS)
        with as_start_error(database.engine):
            yield database, vault
