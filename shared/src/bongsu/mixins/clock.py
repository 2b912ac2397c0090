"""The clocks: the database's for what several processes compare, this process's for time stamps."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import BigInteger

from bongsu.mixins.types import UTCDateTime


class _DatabaseNow(FunctionElement[datetime]):
    """The database's time plus microseconds."""

    type = UTCDateTime()
    name = "utc_now"
    inherit_cache = True


@compiles(_DatabaseNow)
def _render(element: _DatabaseNow, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's protocol
    microseconds = compiler.process(element.clauses, **options)
    # SQLite's clock has milliseconds; six digits make it compare as text with what UTCDateTime stores.
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+.6f seconds', {microseconds} / 1000000.0)) || '000')"


@compiles(_DatabaseNow, "mysql", "mariadb")
def _render_mysql(element: _DatabaseNow, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    return f"(UTC_TIMESTAMP(6) + INTERVAL {compiler.process(element.clauses, **options)} MICROSECOND)"


def utc_now(offset_s: float = 0) -> ColumnElement[datetime]:
    """The DATABASE's clock in UTC plus `offset_s` seconds, as an SQL expression for where, insert and update.

    Microseconds on MySQL and MariaDB, milliseconds on SQLite. The time is that of the statement's start.
    """
    return _DatabaseNow(bindparam(None, round(offset_s * 1_000_000), type_=BigInteger()))


def python_now() -> datetime:
    """This process's clock, aware, in UTC."""
    return datetime.now(UTC)
