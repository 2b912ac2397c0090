"""Reads database errors: the broken constraint, "repeat the whole transaction", and "the database is unavailable"."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final, NoReturn

from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.exc import (
    CircularDependencyError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from bongsu.mixins.errors import (
    Conflict,
    ConflictKind,
    MixinError,
    StaleVersion,
    TransactionLost,
    UnitFailed,
    WrongValue,
    WrongValueForLookup,
)
from bongsu.mixins.values import CANNOT_BE_SENT

_FIRST_FAILURE = "bongsu_first_failure"  # in a session's info: the transaction that was ended, and by what
_PRIMARY = "PRIMARY"  # how MySQL calls every primary key, and so do we
_LOCK_TIMEOUT, _DEADLOCK, _CHANGED_SINCE_READ = 1205, 1213, 1020
_MYSQL_KINDS: dict[int, ConflictKind] = {
    1062: "unique",
    1586: "unique",
    1048: "not null",
    1364: "not null",  # no value was given, and the column has no default
    1216: "foreign key",
    1217: "foreign key",
    1451: "foreign key",
    1452: "foreign key",
    3819: "check",  # MySQL
    4025: "check",  # MariaDB
}
# out of range, truncated, wrong date, wrong text, too long, a bad regular expression (MySQL's and MariaDB's)
_MYSQL_WRONG_VALUES = frozenset((1264, 1265, 1292, 1366, 1367, 1406, 1411, 1690, 3140, 3685, 3691, 3692, 3696, 1139))
_SQLITE_KINDS: dict[str, ConflictKind] = {
    "UNIQUE": "unique",
    "NOT NULL": "not null",
    "FOREIGN KEY": "foreign key",
    "CHECK": "check",
}
_SQLITE_MESSAGE = re.compile(r"^(UNIQUE|NOT NULL|FOREIGN KEY|CHECK) constraint failed(?:: (.*))?$", re.DOTALL)
_STATEMENT_TABLE = re.compile(
    r"^\s*(?:INSERT\s+(?:\w+\s+)?INTO|UPDATE|DELETE\s+FROM|REPLACE\s+INTO)\s+[`\"]?(\w+)", re.IGNORECASE
)

UNAVAILABLE_CODES: Final = frozenset(
    {
        *(2002, 2003, 2005, 2006, 2013, 2014, 2055),  # client: cannot connect, or the connection was lost
        *(1042, 1043, 1152, 1154, 1158, 1159, 1160, 1161, 1184),  # the same, as the server reports it
        *(1040, 1129, 1130, 1203, 1226),  # too many connections, or none allowed from this host
        *(1044, 1045, 1049, 1698),  # login refused: a password is being rotated, or the server is not set up yet
        *(1053, 1077, 1079, 1080, 1317, 1927, 4031),  # shutting down, or the connection or query was killed
        *(1290, 1792, 1836, 3100, 3101, 1047),  # read-only: a failover
        *(1021, 1037, 1038, 1041, 1114),  # disk or memory full
        *(1205, 1213, 3024, 3572, 1969),  # too busy: a lock wait, a deadlock, a statement time limit
    }
)
"""MySQL and MariaDB error numbers that mean "try again later", not "this statement is wrong"."""
_SQLITE_UNAVAILABLE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)


def is_unavailable(error: BaseException) -> bool:
    """Whether an error means that the database cannot be used now, rather than that it refuses the statement."""
    if isinstance(error, PoolTimeout | ConnectionError | TimeoutError) or may_be_repeated(error):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        # The low byte is the primary result code. Errors that the driver itself raises have no code.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_UNAVAILABLE
    number = _mysql_number(cause)
    if number:
        return number in UNAVAILABLE_CODES
    # Errors from the server have a number; without one the driver raised it, on a failed or closed connection.
    return isinstance(error, OperationalError | InterfaceError)


def may_be_repeated(error: BaseException | None) -> bool:
    """Whether repeating the whole transaction can help: deadlock, lock time-out, SQLite busy."""
    if isinstance(error, TransactionLost):
        return True
    if isinstance(error, DBAPIError):
        error = error.orig
    if isinstance(error, sqlite3.OperationalError):
        return "locked" in str(error)  # SQLITE_BUSY and SQLITE_LOCKED
    return _mysql_number(error) in (_LOCK_TIMEOUT, _DEADLOCK, _CHANGED_SINCE_READ)


def is_deadlock(error: BaseException) -> bool:
    """Whether the database broke a deadlock by rolling this transaction back."""
    return isinstance(error, DBAPIError) and _mysql_number(error.orig) == _DEADLOCK


def raise_translated(error: Exception, metadata: MetaData, session: Session | None) -> NoReturn:
    """Raises the library's own error for what the work on a session raised, where it has one."""
    better: Exception | None = translated(error, metadata)
    cause: BaseException = error
    if session is not None and not session.is_active:  # a flush has failed, now or before
        first = _first_failure(session, better or error)
        if isinstance(error, PendingRollbackError):
            better, cause = _ended_by(first), first
    if better is None:
        raise error
    raise better from cause


def _first_failure(session: Session, error: Exception) -> Exception:
    """The error that ended the session's transaction: this one, unless another is noted."""
    transaction = session.get_nested_transaction() or session.get_transaction()
    ended, first = session.info.get(_FIRST_FAILURE, (None, error))
    if ended is not transaction:
        session.info[_FIRST_FAILURE] = (transaction, error)
        return error
    failure: Exception = first
    return failure


def _ended_by(first: Exception) -> MixinError:
    if may_be_repeated(first):
        return TransactionLost(f"the database abandoned a write of this unit, so all of it is undone: {first}")
    return UnitFailed(
        f"{type(first).__name__} has ended this unit of work ({first}). Put a write that may fail into "
        "`async with unit.savepoint():`, or use `get_or_create`; a session of your own is to be rolled back."
    )


def translated(error: Exception, metadata: MetaData) -> MixinError | None:  # noqa: PLR0911  # one return a kind of error
    """The library's error for a database error, None where it has none of its own."""
    if isinstance(error, StaleDataError):
        return StaleVersion(f"The row was changed or deleted since it was read; read it again. ({error})")
    if isinstance(error, CircularDependencyError):
        return MixinError(
            "new objects refer to one another in a circle (or one to itself), so none can be inserted first: save one "
            f"of them without that relation, then set it. ({error})"
        )
    if not isinstance(error, DBAPIError):
        cause = error.orig if isinstance(error, StatementError) else None
        return WrongValue(f"a value cannot be sent: {cause}") if isinstance(cause, CANNOT_BE_SENT) else None
    if "too many SQL variables" in str(error.orig):
        return WrongValueForLookup("SQLite does not take that many values in one statement: ask for them in parts")
    if "user-defined function raised" in str(error.orig):  # SQLite's REGEXP, the only one that can
        return WrongValueForLookup("a regex lookup takes a regular expression of Python's on SQLite, not a broken one")
    table = _table_of(error, metadata)
    message = _message(error.orig)
    sqlite_match = _SQLITE_MESSAGE.match(message)
    if sqlite_match and isinstance(error.orig, sqlite3.IntegrityError):
        kind = _SQLITE_KINDS[sqlite_match[1]]
        constraint, columns = _sqlite_constraint(kind, sqlite_match[2] or "", table)
    else:
        number = _mysql_number(error.orig) or 0
        if number in _MYSQL_WRONG_VALUES:
            where = "a table" if table is None else table.name
            return WrongValue(f"the database refused a value for {where}, and wrote nothing: {message}")
        known = _MYSQL_KINDS.get(number)
        if known is None:
            return None
        kind = known
        constraint, columns = _mysql_constraint(kind, message, table, metadata)
    where = (
        f"{table.name if table is not None else 'the table'}({', '.join(columns)})"
        if columns
        else (table.name if table is not None else "the table")
    )
    return Conflict(
        f"A {kind} constraint of {where} refused the write: {constraint or message}", constraint, columns, kind
    )


def _mysql_number(error: BaseException | None) -> int | None:
    number = error.args[0] if error is not None and error.args else None
    return number if isinstance(number, int) else None


def _message(error: BaseException | None) -> str:
    if error is None:
        return ""
    return str(error.args[1]) if len(error.args) > 1 else str(error)


def _table_of(error: DBAPIError, metadata: MetaData) -> Table | None:
    match = _STATEMENT_TABLE.match(error.statement or "")
    return metadata.tables.get(match[1]) if match else None


def _named(table: Table) -> Iterator[tuple[str | None, tuple[str, ...], Constraint | Index]]:
    for constraint in table.constraints:
        columns = tuple(column.name for column in getattr(constraint, "columns", ()))
        yield (None if constraint.name is None else str(constraint.name)), columns, constraint
    for index in table.indexes:
        yield (None if index.name is None else str(index.name)), tuple(column.name for column in index.columns), index


def _sqlite_constraint(kind: ConflictKind, detail: str, table: Table | None) -> tuple[str | None, tuple[str, ...]]:
    if kind == "check":
        return detail or None, _columns_of_check(detail, table)
    columns = tuple(part.split(".")[-1].strip() for part in detail.split(",")) if detail else ()
    if kind == "not null":
        return None, columns
    if kind == "unique" and table is not None:
        if detail.startswith("index "):  # an index over expressions
            return detail.removeprefix("index ").strip("'"), ()
        for name, covered, constraint in _named(table):
            if set(covered) == set(columns) and _is_unique(constraint):
                return _PRIMARY if isinstance(constraint, PrimaryKeyConstraint) else name, covered
    if kind == "foreign key" and table is not None:
        # SQLite does not say which; with a single one there is no doubt.
        keys = [constraint for constraint in table.constraints if isinstance(constraint, ForeignKeyConstraint)]
        if len(keys) == 1:
            return (None if keys[0].name is None else str(keys[0].name)), tuple(keys[0].column_keys)
    return None, columns


def _is_unique(constraint: Constraint | Index) -> bool:
    if isinstance(constraint, Index):
        return bool(constraint.unique)
    return isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)


def _columns_of_check(name: str, table: Table | None) -> tuple[str, ...]:
    for constraint in table.constraints if table is not None else ():
        if isinstance(constraint, CheckConstraint) and str(constraint.name) == name:
            return tuple(column.name for column in constraint.columns)
    return ()


def _mysql_constraint(
    kind: ConflictKind, message: str, table: Table | None, metadata: MetaData
) -> tuple[str | None, tuple[str, ...]]:
    if kind == "not null":
        match = re.search(r"(?:Column|Field) '(.+)' (?:cannot be null|doesn't have a default value)", message)
        return None, ((match[1],) if match else ())
    pattern = {
        # The value comes first and may hold quotes, so the name is what stands between the last two.
        "unique": r".* for key '(?:[^'.]+\.)?([^']+)'$",
        "foreign key": r".*CONSTRAINT `([^`]+)` FOREIGN KEY",
        "check": r"(?:Check constraint '([^']+)' is violated|CONSTRAINT `([^`]+)` failed for)",
    }[kind]
    match = re.match(pattern, message, re.DOTALL)
    if match is None:
        return None, ()
    name = next(group for group in match.groups() if group)
    tables: Iterable[Table] = (table,) if table is not None else metadata.tables.values()
    for candidate in (*tables, *metadata.tables.values()):
        for known, columns, constraint in _named(candidate):
            is_primary = isinstance(constraint, PrimaryKeyConstraint)
            if known == name or (name == _PRIMARY and is_primary and candidate is table):
                return name, columns
    return name, ()
