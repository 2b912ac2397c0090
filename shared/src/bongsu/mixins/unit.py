"""The unit of work: one session, one transaction, one commit, for the task that started it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import wraps
from inspect import isawaitable
from types import TracebackType
from typing import NoReturn, ParamSpec, Protocol, Self, TypeVar, cast

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction
from sqlalchemy.util import greenlet_spawn

from bongsu.mixins.engine import lost_transaction
from bongsu.mixins.errors import SessionSharedAcrossTasks, TransactionLost, UnitClosed, UnitFailed
from bongsu.mixins.failures import may_be_repeated, raise_translated
from bongsu.mixins.memory import WAIT_S, MemorySession, to_end

P = ParamSpec("P")
T = TypeVar("T")

_SHARE_S = 60.0
"""How long a unit is repeated because other tasks' units hold objects that it needs."""
_innermost: ContextVar["Unit | None"] = ContextVar("bongsu_unit", default=None)


class UnitDatabase(Protocol):
    """What a unit needs of its `Database`, which is built on units."""

    base: type[DeclarativeBase]
    dialect_name: str

    def new_session(self, sync_session_class: type[Session], *, short_lock_wait: bool = False) -> AsyncSession:
        """A session whose transactions may write."""
        ...


class UnitSession(MemorySession):
    """The session of a unit; it knows the connection of its transaction."""

    unit: "Unit | None" = None
    connected_by: Connection | None = None


@event.listens_for(UnitSession, "after_begin")
def _note_connection(session: UnitSession, transaction: SessionTransaction, connection: Connection) -> None:
    del transaction
    session.connected_by = connection


class Unit:
    """A unit of work, made by `Database.unit`.

    As a context manager it is the ambient session of its own task: one commit at its end, a rollback when its block
    raises. Inside another unit of the same task it is a savepoint of that one. `run` and the use as a decorator repeat
    the whole unit when the database broke a deadlock or a lock wait timed out; a `with` block cannot be repeated.
    """

    def __init__(
        self,
        database: UnitDatabase,
        *,
        retries: int = 0,
        isolation: str | None = None,
        short_lock_wait: bool = False,
    ) -> None:
        self.database = database
        self._retries = retries
        self._isolation = isolation
        self._short_lock_wait = short_lock_wait
        self.outer: Unit | None = None
        self._parent: Unit | None = None  # the unit that this one is a savepoint of
        self.task: asyncio.Task[object] | None = None
        self._session: AsyncSession | None = None
        self._savepoint: AsyncSessionTransaction | None = None
        self._on_commit: list[Callable[[], object]] = []
        self._is_committed = False
        self.is_repeatable = False
        """Whether the unit is repeated where another task's holds an object that it needs."""

    @property
    def is_open(self) -> bool:
        """Whether the unit has begun and not ended."""
        return self._session is not None

    @property
    def session(self) -> AsyncSession:
        """The session of this unit, for its own task only."""
        if self._session is None:
            raise UnitClosed("this unit of work is not open: use it as `async with db.unit() as unit:`")
        if self.task is not asyncio.current_task():
            raise SessionSharedAcrossTasks(
                f"a unit of work of {_name(self.task)} was used by {_name(asyncio.current_task())}, which inherited "
                "it. Open a unit in that task (`async with db.unit():`), pass it a session of its own (`session=`), or "
                "do the work one after the other; for a time limit use `asyncio.timeout`, not `asyncio.wait_for`."
            )
        return self._session

    def on_commit(self, callback: Callable[[], object]) -> None:
        """Calls `callback`, and awaits what it returns, once the transaction is committed; never when it is not.

        Every callback runs, whichever fails or is cancelled; the errors are raised afterwards. The transaction stays
        committed.
        """
        self._on_commit.append(callback)

    def savepoint(self) -> "Unit":
        """A part of this unit that can fail alone: `async with unit.savepoint():`."""
        return Unit(self.database)

    async def __aenter__(self) -> Self:
        if self.is_open:
            raise UnitClosed("this unit of work is open already; make another one")
        if self._retries:
            raise TypeError(
                "a `with` block cannot be repeated: use `await db.run(fn, retries=…)` or `@db.unit(retries=…)`"
            )
        self.task = asyncio.current_task()
        self.outer = _innermost.get()
        self._parent = self._enclosing()
        if self._parent is not None:
            session = self._parent.session
            try:
                self._savepoint = await session.begin_nested()
            except Exception as error:  # noqa: BLE001  # raised again
                self._raise_translated(error, session.sync_session)
            self._session = session
        else:
            session = self.database.new_session(UnitSession, short_lock_wait=self._short_lock_wait)
            cast("UnitSession", session.sync_session).unit = self
            if self._isolation is not None:
                await self._set_isolation(session, self._isolation)
            self._session = session
        _innermost.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Contexts of tasks and connections outlive the unit: they must not keep what it held.
        session, self._session, self.task = self._session, None, None
        callbacks, self._on_commit = self._on_commit, []
        if _innermost.get() is self:
            _innermost.set(self.outer)
        if session is None:
            return
        if self._savepoint is not None:
            await self._end_savepoint(session, error, callbacks)
            return
        memory = cast("UnitSession", session.sync_session)
        try:
            await to_end(greenlet_spawn(self._end, memory, commit=error is None), memory)
        finally:
            self._is_committed = error is None and memory.has_committed
            if self._is_committed:  # although the task may have been cancelled meanwhile
                self._on_commit = callbacks  # which may add more
                await _call(callbacks)

    async def run(self, function: Callable[[], Awaitable[T]]) -> T:
        """Runs `function` as a unit, and again as a whole (`retries` times) when the database could not finish it."""
        nested = self._enclosing() is not None  # only the outermost unit can be repeated
        deadline, attempt = time.monotonic() + _SHARE_S, 0
        while True:
            holder: MemorySession | None = None
            unit = Unit(self.database, isolation=self._isolation, short_lock_wait=self._short_lock_wait)
            unit.is_repeatable = self._retries > 0 and not nested
            try:
                async with unit:
                    return await function()
            except (DBAPIError, TransactionLost) as error:
                # A callback's error comes after the commit: to repeat the unit would write twice.
                if nested or unit._is_committed or attempt == self._retries or not may_be_repeated(error):
                    raise
            except SessionSharedAcrossTasks as error:
                if nested or unit._is_committed or not self._retries or not isinstance(error.holder, MemorySession):
                    raise
                if time.monotonic() > deadline:
                    raise
                holder = error.holder
            if holder is not None:  # this unit holds nothing now, so the other can end
                await holder.wait_closed(WAIT_S)
            else:
                await asyncio.sleep(random.uniform(0.5, 1) * 0.01 * 2**attempt)  # noqa: S311  # spreads retries, hides nothing
                attempt += 1

    def __call__(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """As a decorator: each call of `function` is a unit of its own."""

        @wraps(function)
        async def in_unit(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.run(lambda: function(*args, **kwargs))

        return in_unit

    def _enclosing(self) -> "Unit | None":
        unit, task = _innermost.get(), asyncio.current_task()
        while unit is not None and not (unit.database is self.database and unit.is_open and unit.task is task):
            unit = unit.outer
        return unit

    def _raise_translated(self, error: Exception, session: Session) -> NoReturn:
        raise_translated(error, self.database.base.metadata, session)

    async def _set_isolation(self, session: AsyncSession, isolation: str) -> None:
        # SQLite's transactions are serializable whatever one asks for.
        if self.database.dialect_name != "sqlite":
            await session.connection(execution_options={"isolation_level": isolation})

    def _end(self, session: "UnitSession", *, commit: bool) -> None:
        try:
            if commit:
                session.flush()
                _refuse_lost(session)
                session.commit()
        except Exception as error:  # noqa: BLE001  # raised again
            self._raise_translated(error, session)
        finally:
            session.close()

    async def _end_savepoint(
        self, session: AsyncSession, error: BaseException | None, callbacks: list[Callable[[], object]]
    ) -> None:
        savepoint, self._savepoint = self._savepoint, None
        parent, self._parent = self._parent, None
        if savepoint is None or parent is None:
            return
        if error is None:
            try:
                try:
                    await savepoint.commit()
                except Exception as failure:  # noqa: BLE001  # raised again
                    self._raise_translated(failure, session.sync_session)
            except (UnitFailed, TransactionLost):
                cast("MemorySession", session.sync_session).discard_unsaved()
                await savepoint.rollback()  # a write had ended it before, and the outer unit goes on without it
                raise
            for callback in callbacks:
                parent.on_commit(callback)
            return
        cast("MemorySession", session.sync_session).discard_unsaved()
        try:
            await savepoint.rollback()
        except DBAPIError:
            # After a deadlock the whole transaction is gone, savepoints too: the block's own error says more.
            if not may_be_repeated(error):
                raise


def ambient_unit(database: UnitDatabase) -> Unit | None:
    """The open unit of `database` that the running code is in, whichever task started it."""
    unit = _innermost.get()
    while unit is not None:
        if unit.database is database and unit.is_open:
            return unit
        unit = unit.outer
    return None


def unit_for(model: type[DeclarativeBase]) -> Unit | None:
    """The innermost open unit of a database that the model's base was connected to."""
    unit = _innermost.get()
    while unit is not None and (unit._session is None or not _is_of(model, unit.database)):  # noqa: SLF001  # this module's own
        unit = unit.outer
    return unit


def _is_of(model: type[DeclarativeBase], database: UnitDatabase) -> bool:
    """Whether the model's own base, and not only a parent of that, was connected to the database."""
    own: UnitDatabase | None = getattr(model, "__database__", None)
    return own is database or (issubclass(model, database.base) if own is None else own.base is database.base)


def unit_of(session: Session) -> Unit | None:
    """The unit whose session this is; its end commits the session."""
    return session.unit if isinstance(session, UnitSession) else None


def is_inherited(unit: Unit) -> bool:
    """Whether the running task started inside the unit."""
    each = _innermost.get()
    while each is not None and each is not unit:
        each = each.outer
    return each is unit


async def _call(callbacks: list[Callable[[], object]]) -> None:
    errors: list[Exception] = []
    cancelled: asyncio.CancelledError | None = None
    while callbacks:
        try:
            result = callbacks.pop(0)()
            if isawaitable(result):
                await result
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception as error:  # noqa: BLE001  # raised below, when every callback has run
            errors.append(error)
    if cancelled is not None:
        raise cancelled
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("callbacks of a committed unit failed", errors)


def _refuse_lost(session: UnitSession) -> None:
    connection = session.connected_by
    lost = None if connection is None or connection.closed else lost_transaction(connection)
    if lost is not None:
        raise TransactionLost(f"the database abandoned a statement of this unit, so all of it is undone: {lost}")


def _name(task: asyncio.Task[object] | None) -> str:
    return "no task" if task is None else f"task {task.get_name()!r}"
