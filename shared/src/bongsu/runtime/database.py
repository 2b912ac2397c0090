"""Database errors while a process starts or a command runs, as one line for the operator."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bongsu.mixins import TransactionLost
from bongsu.runtime.database_log import is_corruption, report_corruption_once
from bongsu.runtime.errors import StartError


@contextmanager
def as_start_error(engine: AsyncEngine) -> Iterator[None]:
    """Raise the database's errors as start errors.

    :raises StartError: in their place.
    """
    try:
        with report_corruption_once():
            yield
    except (DBAPIError, TransactionLost) as error:
        raise start_error(engine.url, error, otherwise="Cannot work with") from error


def start_error(url: URL, error: Exception, *, otherwise: str) -> StartError:
    """The start error for a driver's or SQLAlchemy's error.

    :param otherwise: how the message begins where the database is not damaged.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    reason = str(original.args[-1] if original.args else original)
    if is_corruption(original):
        return StartError(
            f"The database {url.database} is damaged ({reason}): restore a backup, or move it away to start empty"
        )
    return StartError(f"{otherwise} the database at {_place(url)}: {reason}")


def _place(url: URL) -> str:
    return f"{url.host}:{url.port or 3306}/{url.database}" if url.host else str(url.database)
