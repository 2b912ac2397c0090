"""Engines with the settings that SQLite, MySQL and MariaDB need to be trusted.

SQLite: WAL (synchronous=NORMAL: what is committed survives the death of the process, the last moments not a power
failure), foreign keys, a busy time-out, and no implicit transactions of the driver's. Transactions that may
write begin with `BEGIN IMMEDIATE`: a deferred one that reads before it writes loses updates or fails half-way.
The writers of one process queue for it in order, instead of polling the file. Reads outside a unit of work have
no transaction. `lower()` folds Unicode as the other databases do.

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

import asyncio
import contextlib
import itertools
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from sqlalchemy import URL, Connection, Dialect, ExceptionContext, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolResetState
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from bongsu.mixins.failures import may_be_repeated
from bongsu.mixins.types import MYSQL_NAMES

READING = {"bongsu_reading": True}  # execution options of an engine that SQLite needs no transaction for
SHORT_LOCK_WAIT = {"bongsu_short_lock_wait": True}  # of an engine whose transactions wait 1 s for a lock of MySQL's
_BEGIN = "BEGIN IMMEDIATE"
_LOST = "bongsu_lost"  # in a connection's info: the error after which its transaction must not be committed
_COMMITTED = "bongsu_committed"
_HOLDS_LOCK = "bongsu_holds_write_lock"
_WAITS_SHORT = "bongsu_waits_short"
_RETURNED_AT = "bongsu_returned_at"

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
    "pool_reset_on_return": None,  # in its place: _spare_committed_connections
}


class _SqliteDriver(Protocol):
    """The methods of aiosqlite's connection that are used here."""

    def execute(self, sql: str) -> Awaitable[object]: ...
    def rollback(self) -> Awaitable[None]: ...
    def stop(self) -> asyncio.Future[None] | None: ...
    def create_function(
        self, name: str, arguments: int, function: Callable[[object], object], deterministic: bool
    ) -> Awaitable[None]: ...

    _thread: threading.Thread


class _Adapted(Protocol):
    """The attribute of SQLAlchemy's wrapper around a driver's connection that is used here."""

    driver_connection: _SqliteDriver


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
        _spare_committed_connections(engine)
    elif backend == "sqlite":
        connect_args = {"timeout": busy_timeout_s, "isolation_level": None} | connect_args
        if url.database in (None, "", ":memory:"):
            # One connection is the whole database: its users take turns.
            options = {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0} | options
        engine = create_async_engine(url, connect_args=connect_args, **options)
        _prepare_sqlite(engine, busy_timeout_s)
    else:
        engine = create_async_engine(url, connect_args=connect_args, **options)
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


def _spare_committed_connections(engine: AsyncEngine) -> None:
    """Rolls a returned connection back, unless a commit was the last that SQLAlchemy did on it.

    The pool's own ROLLBACK is one round trip more for each unit of work. The drivers cannot say whether a transaction
    is open: aiomysql leaves the server's flag as it was after a SELECT.
    """

    def note_committed(connection: Connection) -> None:
        connection.info[_COMMITTED] = True

    def forget(connection: Connection) -> None:
        connection.info.pop(_COMMITTED, None)

    def forget_failed(context: ExceptionContext) -> None:  # it may be the COMMIT
        if context.connection is not None:
            forget(context.connection)

    def forget_taken(adapted: object, entry: ConnectionPoolEntry, fairy: object) -> None:
        del adapted, fairy
        entry.info.pop(_COMMITTED, None)

    def roll_back(adapted: DBAPIConnection, entry: ConnectionPoolEntry, state: PoolResetState) -> None:
        if state.asyncio_safe and not state.transaction_was_reset and _COMMITTED not in entry.info:
            adapted.rollback()

    event.listen(engine.sync_engine, "commit", note_committed)
    event.listen(engine.sync_engine, "begin", forget)
    event.listen(engine.sync_engine, "handle_error", forget_failed)
    event.listen(engine.sync_engine, "checkout", forget_taken)
    event.listen(engine.sync_engine, "reset", roll_back)


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
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"SET innodb_lock_wait_timeout = {1 if is_short else _LOCK_WAIT_S}")
    except BaseException:  # as SQLAlchemy does where its own statements are cancelled
        connection.invalidate()
        raise
    finally:
        cursor.close()
    connection.info[_WAITS_SHORT] = is_short


def _prepare_sqlite(engine: AsyncEngine, busy_timeout_s: float) -> None:
    queue = _WriterQueue(busy_timeout_s)
    event.listen(engine.sync_engine, "do_connect", _connect_sqlite)
    event.listen(engine.sync_engine, "begin", queue.begin)
    event.listen(engine.sync_engine, "checkin", queue.release)
    event.listen(engine.sync_engine, "invalidate", _roll_back)


def _roll_back(connection: DBAPIConnection, entry: ConnectionPoolEntry, error: BaseException | None) -> None:
    """Ends the transaction of a connection that is about to be closed, as when a statement of it was cancelled.

    SQLite would keep it, and its lock, until the garbage collector has found the last cursor.
    """
    del entry, error
    if in_greenlet():
        driver = cast("_Adapted", connection).driver_connection
        with contextlib.suppress(Exception, asyncio.CancelledError):  # the driver's thread does it all the same
            await_only(asyncio.shield(driver.rollback()))


def _connect_sqlite(
    dialect: Dialect, entry: ConnectionPoolEntry, args: list[Any], options: dict[str, Any]
) -> DBAPIConnection:
    del entry
    driver: _SqliteDriver = dialect.loaded_dbapi.aiosqlite.connect(*args, **options)
    thread = driver._thread  # noqa: SLF001 - as SQLAlchemy does with a connection of its own making
    thread.daemon = True
    thread.run = _quiet(thread.run)  # type: ignore[method-assign]  # the thread is the driver's
    driver.stop = _stop_once(driver)  # type: ignore[method-assign]  # there is no other place for it
    try:
        connection = dialect.connect(async_creator_fn=lambda: driver)
    except asyncio.CancelledError:
        with contextlib.suppress(asyncio.CancelledError):
            await_only(_ended(driver))
        raise
    try:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            await_only(driver.execute(f"PRAGMA {pragma}"))
        await_only(driver.create_function("lower", 1, _lower, deterministic=True))
    except BaseException:
        connection.close()
        raise
    return connection


def _quiet(run: Callable[[], None]) -> Callable[[], None]:
    """Lets a connection's thread end in silence when the event loop is closed: nothing waits for its answers then."""

    def run_quietly() -> None:
        with contextlib.suppress(RuntimeError):  # the driver passes every other error to its caller
            run()

    return run_quietly


def _stop_once(driver: _SqliteDriver) -> Callable[[], asyncio.Future[None] | None]:
    """A connection's `stop` that does nothing when called again, and lets the event loop wait for its thread.

    It is called again where a caller and then the task that closes the caller's connection are cancelled. The thread,
    which has ended, would not answer, and the loop would wait for ever for that task when it closes.
    """
    stop, calls = driver.stop, itertools.count()

    def stop_once() -> asyncio.Future[None] | None:
        if next(calls):
            return None
        with contextlib.suppress(RuntimeError):  # the garbage collector may be the caller, when no loop runs
            # Later, because the executor may be the place where the garbage collector interrupts.
            asyncio.get_running_loop().call_soon(_ended, driver)
        return stop()

    return stop_once


def _ended(driver: _SqliteDriver) -> asyncio.Future[None]:
    """Waits in the loop's executor for the thread of a connection that is being closed.

    The thread answers what was cancelled as well, and fails if the event loop is closed by then, as when both are
    cancelled by its end. The executor is shut down before, and waits.
    """
    thread = driver._thread  # noqa: SLF001 - the driver has no other way to wait for it
    return asyncio.get_running_loop().run_in_executor(None, thread.join)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class _WriterQueue:
    """Lets one writer of this process at a time begin; the others wait in order, without polling."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, connection: Connection) -> None:
        if connection.get_execution_options().get("bongsu_reading"):
            return
        # Where the wait is too long, SQLite's own answer ("database is locked") is the error.
        if _HOLDS_LOCK not in connection.info and await_only(self._acquire()):
            connection.info[_HOLDS_LOCK] = self._lock
        adapted = cast("_Adapted", connection.connection)
        try:
            await_only(adapted.driver_connection.execute(_BEGIN))
        except sqlite3.Error as error:
            raise OperationalError(_BEGIN, None, error) from error

    def release(self, adapted: object, entry: ConnectionPoolEntry) -> None:
        del adapted
        lock: asyncio.Lock | None = entry.info.pop(_HOLDS_LOCK, None)
        if lock is not None:
            lock.release()

    async def _acquire(self) -> bool:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # a lock belongs to the event loop that first waited for it
            self._loop, self._lock = loop, asyncio.Lock()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._lock.acquire()
        except TimeoutError:
            return False
        return True
