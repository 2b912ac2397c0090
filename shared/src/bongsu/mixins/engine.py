"""Engines with the settings that SQLite, MySQL and MariaDB need to be trusted.

SQLite: see `bongsu.mixins.sqlite`.

MySQL and MariaDB: utf8mb4, the session's time zone UTC, READ COMMITTED. Claims and short units meet fewer gap
locks and fewer deadlocks than under the default, REPEATABLE READ, and a unit sees what others committed in the
meantime; a unit that needs one snapshot asks for it (`db.unit(isolation="REPEATABLE READ")`).
A lock is waited for 10 s at most (a server's own default is 50 s: callers time out before that, and their transactions
go on holding what they have). `SHORT_LOCK_WAIT` is for units that must not wait: whoever holds a lock for a second has
stopped, and must not stop the others that share the transaction.
No intersections of indexes: for a page in the order of the key they read every row that matches, and not a page.
`CLIENT.FOUND_ROWS` is set by SQLAlchemy for both drivers, so a row count is that of the rows matched, changed
or not, as SQLite's is.
"""

import time
from typing import Any

from sqlalchemy import URL, Connection, ExceptionContext, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolResetState

from bongsu.mixins.failures import may_be_repeated
from bongsu.mixins.sqlite import prepare_sqlite
from bongsu.mixins.types import MYSQL_NAMES

READING = {"bongsu_reading": True}  # execution options of an engine that SQLite needs no transaction for
SHORT_LOCK_WAIT = {"bongsu_short_lock_wait": True}  # of an engine whose transactions wait 1 s for a lock of MySQL's
_LOST = "bongsu_lost"  # in a connection's info: the error after which its transaction must not be committed
_ENDED = "bongsu_ended"
_WAITS_SHORT = "bongsu_waits_short"
_RETURNED_AT = "bongsu_returned_at"
_DISPOSALS = "bongsu_disposals"  # in a connection's info: how often the engine had been disposed of before

_LOCK_WAIT_S = 10
_MYSQL_SESSION = (
    f"SET time_zone = '+00:00', innodb_lock_wait_timeout = {_LOCK_WAIT_S}, "
    "optimizer_switch = 'index_merge_intersection=off'"
    # By a skip scan MySQL reads every row that follows a page, to sort them. MariaDB has none, and skips the comment.
    "/*!80013 , optimizer_switch = 'index_merge_intersection=off,skip_scan=off' */"
)
_MYSQL_OPTIONS: dict[str, object] = {
    "pool_recycle": 1800,
    "pool_size": 10,
    "max_overflow": 10,
    "pool_timeout": 10,
    "isolation_level": "READ COMMITTED",
    "pool_reset_on_return": None,  # in its place: _roll_back_open_transactions
}


def build_engine(
    url: URL, busy_timeout_s: float, ping_idle_s: float, options: dict[str, Any]
) -> AsyncEngine:  # options are SQLAlchemy's
    """An engine for `url`; `options` are `create_async_engine`'s and win over the settings above."""
    connect_args: dict[str, object] = dict(options.pop("connect_args", {}))
    backend = url.get_backend_name()
    if backend in MYSQL_NAMES:
        connect_args = {"charset": "utf8mb4", "init_command": _MYSQL_SESSION} | connect_args
        engine = create_async_engine(url, connect_args=connect_args, **(_MYSQL_OPTIONS | options))
        if not options.get("pool_pre_ping"):
            _ping_idle_connections(engine, ping_idle_s)
        event.listen(engine.sync_engine, "begin", _set_lock_wait)
        _roll_back_open_transactions(engine)
    elif backend == "sqlite":
        connect_args = {"timeout": busy_timeout_s, "isolation_level": None} | connect_args
        if url.database in (None, "", ":memory:"):
            # One connection is the whole database: its users take turns.
            options = {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0} | options
        engine = create_async_engine(url, connect_args=connect_args, **options)
        prepare_sqlite(engine, busy_timeout_s)
    else:
        engine = create_async_engine(url, connect_args=connect_args, **options)
    _close_after_disposal(engine)
    event.listen(engine.sync_engine, "begin", _forget_lost)
    event.listen(engine.sync_engine, "handle_error", _note_lost)
    return engine


def _ping_idle_connections(engine: AsyncEngine, idle_s: float) -> None:
    """Pings a connection that was idle for `idle_s` seconds before it is used, to find out what a restart has closed.

    `pool_pre_ping` asks the server each time: 13 % more CPU for a `get` with a transaction of its own (MariaDB on the
    same machine, aiomysql), and a round trip. A server takes longer than a second to restart. A connection that it
    closes sooner fails one statement, and the pool is replaced.
    """
    dialect = engine.dialect

    def is_alive(adapted: object, entry: ConnectionPoolEntry, fairy: object) -> None:
        del fairy
        returned_at = entry.info.get(_RETURNED_AT)
        if returned_at is None or time.monotonic() - returned_at < idle_s:
            return
        try:
            dialect.do_ping(adapted)  # type: ignore[arg-type]  # the event's type is narrower than what it is
        except dialect.loaded_dbapi.Error as error:
            gone = DisconnectionError(f"the server has closed this connection: {error}")
            gone.invalidate_pool = True  # the others are as old
            raise gone from error

    def note_returned(adapted: object, entry: ConnectionPoolEntry) -> None:
        if adapted is not None:
            entry.info[_RETURNED_AT] = time.monotonic()

    event.listen(engine.sync_engine, "checkout", is_alive)
    event.listen(engine.sync_engine, "checkin", note_returned)


def _roll_back_open_transactions(engine: AsyncEngine) -> None:
    """Rolls a returned connection back, unless a commit or rollback was the last that SQLAlchemy did on it.

    The pool's own ROLLBACK is one round trip more for each read and each unit of work. The drivers cannot say whether a
    transaction is open: aiomysql leaves the server's flag as it was after a SELECT.
    """

    def note_ended(connection: Connection) -> None:
        if not connection.invalidated:
            connection.info[_ENDED] = True

    def forget(connection: Connection) -> None:
        connection.info.pop(_ENDED, None)

    def forget_failed(context: ExceptionContext) -> None:  # it may be the COMMIT or ROLLBACK
        if context.connection is not None:
            forget(context.connection)

    def forget_taken(adapted: object, entry: ConnectionPoolEntry, fairy: object) -> None:
        del adapted, fairy
        entry.info.pop(_ENDED, None)

    def roll_back(adapted: DBAPIConnection, entry: ConnectionPoolEntry, state: PoolResetState) -> None:
        if state.asyncio_safe and not state.transaction_was_reset and _ENDED not in entry.info:
            adapted.rollback()

    event.listen(engine.sync_engine, "commit", note_ended)
    event.listen(engine.sync_engine, "rollback", note_ended)
    event.listen(engine.sync_engine, "begin", forget)
    event.listen(engine.sync_engine, "handle_error", forget_failed)
    event.listen(engine.sync_engine, "checkout", forget_taken)
    event.listen(engine.sync_engine, "reset", roll_back)


def _close_after_disposal(engine: AsyncEngine) -> None:
    """Closes connections that are returned after the engine was disposed of, as by a task that is late to end.

    SQLAlchemy puts them back into the pool that they came from, which is no longer in use.
    """
    disposals = 0

    def note_pool(adapted: object, entry: ConnectionPoolEntry) -> None:
        del adapted
        entry.info[_DISPOSALS] = disposals

    def note_disposal(disposed: object) -> None:
        nonlocal disposals
        del disposed
        disposals += 1

    def close(adapted: object, entry: ConnectionPoolEntry) -> None:
        if adapted is not None and entry.info[_DISPOSALS] != disposals:
            entry.close()

    event.listen(engine.sync_engine, "connect", note_pool)
    event.listen(engine.sync_engine, "engine_disposed", note_disposal)
    event.listen(engine.sync_engine, "checkin", close)


def lost_transaction(connection: Connection) -> BaseException | None:
    """The error after which this connection's transaction must not be committed."""
    lost: BaseException | None = connection.info.get(_LOST)
    return lost


def _forget_lost(connection: Connection) -> None:
    connection.info.pop(_LOST, None)


def _note_lost(context: ExceptionContext) -> None:
    # After a lock time-out MySQL rolls back the statement only, and a COMMIT would keep half of the transaction.
    if context.connection is not None and may_be_repeated(context.original_exception):
        context.connection.info[_LOST] = context.original_exception


def _set_lock_wait(connection: Connection) -> None:
    """Set how long this transaction waits for a lock, where the connection's last one waited otherwise."""
    options = connection.get_execution_options()
    is_short = "bongsu_short_lock_wait" in options
    if options.get("bongsu_reading") or is_short == connection.info.get(_WAITS_SHORT, False):
        return
    statement = f"SET innodb_lock_wait_timeout = {1 if is_short else _LOCK_WAIT_S}"
    driver = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
    except BaseException as error:  # as SQLAlchemy does where its own statements fail or are cancelled
        connection.invalidate()
        if not isinstance(error, driver.Error):
            raise
        raise DBAPIError.instance(statement, None, error, driver.Error, connection_invalidated=True) from error
    finally:
        cursor.close()
    connection.info[_WAITS_SHORT] = is_short
