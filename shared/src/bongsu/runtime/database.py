"""Opening the database that the settings name."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bongsu.mixins import Database, TransactionLost
from bongsu.runtime.database_log import damage_told, is_damage, log_statements
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import PlatformSettings, SettingsError

USABLE: Final = "sqlite+aiosqlite:///FILE or mysql+aiomysql://USER:PASSWORD@HOST:PORT/DATABASE"


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
    except (SQLAlchemyError, ImportError, ValueError) as error:
        # The ValueError is that of a port; it may quote a part of the password.
        reason = "its port is no number" if isinstance(error, ValueError) else str(error.args[0]).rstrip(".")
        raise StartError(f"The database URL cannot be used ({reason}); write {USABLE}") from error
    try:
        try:
            await database.ping()
        except (SQLAlchemyError, OSError, ValueError, TypeError) as error:
            # The last two are what drivers make of a host or of parameters that cannot be.
            raise _start_error(target, error, otherwise="Cannot reach") from error
        log_statements(database.engine, slow_ms=slow_ms)
        yield database
    finally:
        await database.dispose()


@contextmanager
def told_plainly(engine: AsyncEngine) -> Iterator[None]:
    """For what is done before a process is up, and for commands: what the database raises is told in one line.

    :raises StartError: in its place.
    """
    try:
        with damage_told():
            yield
    except (DBAPIError, TransactionLost) as error:
        raise _start_error(engine.url, error, otherwise="Cannot work with") from error


def _start_error(url: URL, error: Exception, *, otherwise: str) -> StartError:
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    reason = str(original.args[-1] if original.args else original)
    if is_damage(original):
        return StartError(
            f"The database {url.database} is damaged ({reason}): put a backup of it back, or move it away to begin anew"
        )
    return StartError(f"{otherwise} the database at {_place(url)}: {reason}")


def _place(url: URL) -> str:
    return f"{url.host}:{url.port or 3306}/{url.database}" if url.host else str(url.database)
