"""Opening the database that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from bongsu.mixins import Database
from bongsu.runtime.database_log import log_statements
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import PlatformSettings, SettingsError


def database_url(platform: PlatformSettings) -> URL:
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


@asynccontextmanager
async def opened(url: URL | str, *, slow_ms: float) -> AsyncIterator[Database]:
    """A database that answers, with its log; its connections are closed at the end.

    :raises StartError: it cannot be reached, and why.
    """
    try:
        target = make_url(url)
        # An error that reaches the log says which statement failed, and not with whose address or secret.
        database = Database(target, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StartError(f"The database URL cannot be used: {error}") from error
    try:
        log_statements(database.engine, slow_ms=slow_ms)
        try:
            await database.ping()
        except (DBAPIError, OSError) as error:
            raise StartError(f"Cannot reach the database at {_place(target)}: {_reason(error)}") from error
        yield database
    finally:
        await database.dispose()


def _place(url: URL) -> str:
    return f"{url.host}:{url.port or 3306}/{url.database}" if url.host else str(url.database)


def _reason(error: DBAPIError | OSError) -> str:
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(original.args[-1] if original.args else original)
