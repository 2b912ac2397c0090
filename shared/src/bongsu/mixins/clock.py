"""The clocks: the database's for what several processes compare, this process's for time stamps."""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.types import BigInteger

from bongsu.mixins.types import Spelled, UTCDateTime


class _DatabaseNow(
    Spelled[datetime],
    # SQLite's clock has milliseconds; six digits make it compare as text with what UTCDateTime stores.
    sqlite="(strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+.6f seconds', {0} / 1000000.0)) || '000')",
    mysql="(UTC_TIMESTAMP(6) + INTERVAL {0} MICROSECOND)",
):
    """The database's time plus microseconds."""

    type = UTCDateTime()
    name = "utc_now"


def utc_now(offset_s: float = 0) -> ColumnElement[datetime]:
    """The DATABASE's clock in UTC plus `offset_s` seconds, as an SQL expression for where, insert and update.

    Microseconds on MySQL and MariaDB, milliseconds on SQLite. The time is that of the statement's start.
    """
    return _DatabaseNow(bindparam(None, round(offset_s * 1_000_000), type_=BigInteger()))


def python_now() -> datetime:
    """This process's clock, aware, in UTC."""
    return datetime.now(UTC)
