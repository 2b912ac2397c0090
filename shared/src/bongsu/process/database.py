"""The database of a process: the one that the settings name, or that a command is given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from bongsu.mixins import Database
from bongsu.process.lifecycle import Process
from bongsu.runtime.database import start_error
from bongsu.runtime.database_log import log_statements
from bongsu.runtime.errors import StartError
from bongsu.runtime.revisions import MigrationSet, require_current
from bongsu.runtime.settings import PlatformSettings, SettingsError

USABLE: Final = "sqlite+aiosqlite:///FILE or mysql+aiomysql://USER:PASSWORD@HOST:PORT/DATABASE"


async def open_database(process: Process, *migrations: MigrationSet, url: URL | str | None = None) -> Database:
    """Connect to the database of the settings, or to `url`; the process is ready while it answers.

    :param migrations: histories whose tables must be up to date.
    :raises StartError: the database cannot be used, or its tables are not up to date.
    """
    platform = process.platform
    database = await process.enter(connect_database(url or mysql_url(platform), slow_query_ms=platform.slow_query_ms))

    async def answers() -> bool:
        await database.ping()
        return True

    process.require("database", answers)
    await require_current(database.engine, migrations)
    return database


@asynccontextmanager
async def connect_database(url: URL | str, *, slow_query_ms: float) -> AsyncIterator[Database]:
    """Connect to a database and log its slow and failed statements; its connections are closed at the end.

    :raises StartError: the URL cannot be used, or the database cannot be reached.
    """
    try:
        target = make_url(url)
        # A logged error names the statement that failed, without the addresses and secrets in its parameters.
        database = Database(target, hide_parameters=True)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        # The ValueError is that of a port; it may quote a part of the password.
        reason = "the port is not a number" if isinstance(error, ValueError) else str(error.args[0]).rstrip(".")
        raise StartError(f"The database URL cannot be used ({reason}); write {USABLE}") from error
    try:
        try:
            await database.ping()
        except (SQLAlchemyError, OSError, ValueError, TypeError) as error:
            # Drivers raise the last two for impossible hosts and parameters.
            raise start_error(target, error, otherwise="Cannot reach") from error
        log_statements(database.engine, slow_ms=slow_query_ms)
        yield database
    finally:
        await database.dispose()


def mysql_url(platform: PlatformSettings) -> URL:
    """The MySQL that `MYSQL_…` names.

    :raises SettingsError: MYSQL_HOST is missing.
    """
    if platform.mysql_host is None:
        raise SettingsError(["MYSQL_HOST is missing (the host of the database)"])
    return URL.create(
        "mysql+aiomysql",
        username=platform.mysql_user,
        password=platform.mysql_password.get_secret_value() or None,
        host=platform.mysql_host,
        port=platform.mysql_port,
        database=platform.mysql_database,
        query={"charset": "utf8mb4"},
    )
