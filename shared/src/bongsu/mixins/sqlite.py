"""Connections of SQLite, with the settings that it needs to be trusted.

WAL (synchronous=NORMAL: what is committed survives the death of the process, the last moments not a power
failure), foreign keys, a busy time-out, and no implicit transactions of the driver's. Transactions that may
write begin with `BEGIN IMMEDIATE`: a deferred one that reads before it writes loses updates or fails half-way.
The writers of one process queue for it in order, instead of polling the file. Reads outside a unit of work have
no transaction. `lower()` folds Unicode as the other databases do.

A statement is one step of the driver's thread, because each step takes longer than most statements. SQLAlchemy (2.1)
takes four for a SELECT (create a cursor, execute, fetch, close it), and a ROLLBACK for a connection that is returned:
half of the CPU time of a `get`.
"""

import asyncio
import contextlib
import itertools
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import Connection, Dialect, event
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

T = TypeVar("T")

_BEGIN = "BEGIN IMMEDIATE"
_HOLDS_LOCK = "bongsu_holds_write_lock"
_WAIT_S = 5.0  # the driver's own default
_RETRY_S = 0.002


class _Driver(Protocol):
    """The parts of aiosqlite's connection that are used here."""

    def __await__(self) -> Any: ...  # noqa: ANN401 - a generator of the event loop's
    def rollback(self) -> Awaitable[None]: ...
    def stop(self) -> asyncio.Future[None] | None: ...
    def _execute(self, function: Callable[..., T], *arguments: object) -> Awaitable[T]: ...

    _conn: sqlite3.Connection
    _connection: sqlite3.Connection | None
    _connector: Callable[[], sqlite3.Connection]
    _thread: threading.Thread


def prepare_sqlite(engine: AsyncEngine, busy_timeout_s: float) -> None:
    """Sets up an engine of SQLite, before its first connection."""
    queue = _WriterQueue(busy_timeout_s)
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "begin", queue.begin)
    event.listen(engine.sync_engine, "checkin", queue.release)
    event.listen(engine.sync_engine, "invalidate", _roll_back)


@dataclass
class _Executed:
    """A cursor's attributes after its statement. The cursor itself is closed."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    arraysize: int = 1

    def close(self) -> None:
        """Nothing is open."""


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Executes a statement, fetches its rows and closes the driver's cursor in one step."""

    __slots__ = ()

    _awaitable_cursor_close = False
    _adapt_connection: "_Connection"
    _cursor: Any  # an _Executed

    def _make_new_cursor(self, connection: object) -> Any:  # noqa: ANN401 - as the base class
        del connection
        return _Executed()

    def _aenter_cursor(self, cursor: Any) -> Any:  # noqa: ANN401 - as the base class
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> None:  # noqa: ANN401 - as the base class
        async with self._adapt_connection._execute_mutex:  # noqa: SLF001 - as the base class
            self._cursor, rows = await self._adapt_connection.step(_execute, operation, parameters)
            self._rows.extend(rows)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:  # noqa: ANN401 - as the base class
        async with self._adapt_connection._execute_mutex:  # noqa: SLF001 - as the base class
            self._cursor = await self._adapt_connection.step(_execute_many, operation, seq_of_parameters)


def _execute(connection: sqlite3.Connection, operation: str, parameters: Any) -> tuple[_Executed, list[Any]]:  # noqa: ANN401 - SQLAlchemy's
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(operation, () if parameters is None else parameters)
        rows = cursor.fetchall() if cursor.description else []
        return _Executed(cursor.description, cursor.rowcount, cursor.lastrowid), rows


def _execute_many(connection: sqlite3.Connection, operation: str, parameters: Any) -> _Executed:  # noqa: ANN401 - SQLAlchemy's
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.executemany(operation, parameters)
        return _Executed(rowcount=cursor.rowcount, lastrowid=cursor.lastrowid)


class _Connection(AsyncAdapt_aiosqlite_connection):
    """A connection that knows whether it has a transaction."""

    __slots__ = ("_is_uncertain",)

    _cursor_cls = _Cursor
    _connection: Any  # a _Driver

    def __init__(self, dbapi: Any, connection: Any) -> None:  # noqa: ANN401 - as the base class
        super().__init__(dbapi, connection)
        self._is_uncertain = False

    async def step(self, function: Callable[..., T], *arguments: object) -> T:
        """Calls a function with SQLite's own connection and these arguments, in the driver's thread."""
        driver: _Driver = self._connection
        try:
            return await driver._execute(function, driver._conn, *arguments)  # noqa: SLF001 - as SQLAlchemy does
        except asyncio.CancelledError:  # the thread goes on: it may be about to begin a transaction
            self._is_uncertain = True
            raise

    def rollback(self) -> None:
        """Roll back the transaction if there is one."""
        current: sqlite3.Connection | None = self._connection._connection  # noqa: SLF001 - as the base class
        if self._is_uncertain or (current is not None and current.in_transaction):
            super().rollback()
            self._is_uncertain = False


def _roll_back(connection: DBAPIConnection, entry: ConnectionPoolEntry, error: BaseException | None) -> None:
    """Ends the transaction of a connection that is about to be closed, as when a statement of it was cancelled.

    SQLite would keep it, and its lock, until the garbage collector has found the last cursor.
    """
    del entry, error
    if in_greenlet():
        driver: _Driver = cast("_Connection", connection).driver_connection
        with contextlib.suppress(Exception, asyncio.CancelledError):  # the driver's thread does it all the same
            await_only(asyncio.shield(driver.rollback()))


def _connect(dialect: Dialect, entry: ConnectionPoolEntry, args: list[Any], options: dict[str, Any]) -> DBAPIConnection:
    del entry
    driver: _Driver = dialect.loaded_dbapi.aiosqlite.connect(*args, **options)
    thread = driver._thread  # noqa: SLF001 - as SQLAlchemy does with a connection of its own making
    thread.daemon = True
    thread.run = _quiet(thread.run)  # type: ignore[method-assign]  # the thread is the driver's
    driver.stop = _stop_once(driver)  # type: ignore[method-assign]  # there is no other place for it
    wait_s = float(options.get("timeout", _WAIT_S))
    driver._connector = _prepared(driver._connector, wait_s)  # noqa: SLF001 - in the same step of the thread
    try:
        return cast("DBAPIConnection", _Connection(dialect.loaded_dbapi, await_only(driver)))
    except asyncio.CancelledError:
        with contextlib.suppress(asyncio.CancelledError):
            await_only(_ended(driver))
        raise


def _prepared(connect: Callable[[], sqlite3.Connection], wait_s: float) -> Callable[[], sqlite3.Connection]:
    def connect_and_prepare() -> sqlite3.Connection:
        connection = connect()
        try:
            _write_ahead(connection, wait_s)
            for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.create_function("lower", 1, _lower, deterministic=True)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect_and_prepare


def _write_ahead(connection: sqlite3.Connection, wait_s: float) -> None:
    """Turns the file's write-ahead log on; it stays on.

    For this SQLite does not wait for other connections as it does elsewhere: of the first two, one would fail.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def _quiet(run: Callable[[], None]) -> Callable[[], None]:
    """Lets a connection's thread end in silence when the event loop is closed: nothing waits for its answers then."""

    def run_quietly() -> None:
        with contextlib.suppress(RuntimeError):  # the driver passes every other error to its caller
            run()

    return run_quietly


def _stop_once(driver: _Driver) -> Callable[[], asyncio.Future[None] | None]:
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


def _ended(driver: _Driver) -> asyncio.Future[None]:
    """Waits in the loop's executor for the thread of a connection that is being closed.

    The thread answers what was cancelled as well, and fails if the event loop is closed by then, as when both are
    cancelled by its end. The executor is shut down before, and waits.
    """
    thread = driver._thread  # noqa: SLF001 - the driver has no other way to wait for it
    return asyncio.get_running_loop().run_in_executor(None, thread.join)


def _lower(value: Any) -> Any:  # noqa: ANN401 - what SQLite stores
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
        adapted = cast("_Connection", connection.connection.dbapi_connection)
        try:
            await_only(adapted.step(sqlite3.Connection.execute, _BEGIN))
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
