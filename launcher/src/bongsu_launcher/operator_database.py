"""The database that an operator's command works on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bongsu.identity import opening as identities
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime import database as databases
from bongsu.runtime import migrations
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.settings import load
from bongsu_launcher.owners import MIGRATIONS
from bongsu_launcher.settings import DOTENV, LauncherSettings, with_vault_keys
from bongsu_launcher.state import StateFolder


def chosen_url(platform: LauncherSettings, database_url: str | None) -> str:
    """`--database-url`, else the MySQL of the settings, else the one-process mode's file."""
    if database_url is not None:
        return database_url
    if platform.mysql_host is not None:
        return databases.database_url(platform).render_as_string(hide_password=False)
    return StateFolder(platform.var).database_url


@asynccontextmanager
async def opened(database_url: str | None, *, current: bool = True) -> AsyncIterator[tuple[Database, Vault]]:
    """The database, and the vault that opens what is sealed in it.

    :param current: refuse tables of another version.
    :raises StartError: it cannot be used as it is.
    """
    (platform,) = load(LauncherSettings, dotenv=DOTENV)
    configure_logging(level="ERROR", as_json=False)
    url = chosen_url(platform, database_url)
    vault = identities.vault_of(with_vault_keys(platform))
    async with databases.opened(url, slow_ms=platform.slow_query_ms) as database:
        if current:
            await migrations.require_current(database.engine, MIGRATIONS)
        with databases.told_plainly(database.engine):
            yield database, vault
