"""The session that a call uses: the one it is given, else its task's unit of work, else a short one of its own."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import greenlet_spawn

from bongsu.mixins.base import Base
from bongsu.mixins.errors import SessionSharedAcrossTasks
from bongsu.mixins.failures import may_be_repeated, raise_translated
from bongsu.mixins.memory import WAIT_S, InUse, MemorySession, ShortSession
from bongsu.mixins.unit import Unit, is_inherited, unit_for, unit_of

T = TypeVar("T")

_PATIENCE_S = 1.0
_REPEATABLE_PATIENCE_S = 0.05
_CALLER = "bongsu_caller"  # in a session's info: the task whose call is using it


def read(model: type[Base], session: AsyncSession | None, work: Callable[[Session], T]) -> Coroutine[Any, Any, T]:
    """Runs `work`, which only reads: in the given session, else the running unit's or task's, else a short one.

    For SQL of one's own: `await read(User, None, lambda session: session.scalar(select(…)))`.
    """
    return _run(model, session, work, write=False, commit=False)


def write(
    model: type[Base], session: AsyncSession | None, work: Callable[[Session], T], *, commit: bool = False
) -> Coroutine[Any, Any, T]:
    """Runs `work`, which writes. A session of the call's own is committed; a given one only if `commit` says so."""
    return _run(model, session, work, write=True, commit=commit)


async def _run(
    model: type[Base], session: AsyncSession | None, work: Callable[[Session], T], *, write: bool, commit: bool
) -> T:
    while True:
        unit = None if session is not None else unit_for(model)
        used = session if unit is None else unit.session
        if used is None:
            used = model.database().task_session()
        open_session = None if used is None else used.sync_session
        if open_session is not None:
            _enter(open_session, unit, write=write)
        try:
            if used is None or open_session is None:
                return await model.database().alone(work, write=write)
            result = await greenlet_spawn(work, open_session)
            if commit and unit_of(open_session) is None:  # a unit commits once, at its end
                await used.commit()
        except InUse as error:
            in_use = error
        except Exception as error:  # noqa: BLE001  # raised again
            raise_translated(error, model.metadata, open_session)
        else:
            return result
        finally:
            if open_session is not None:
                _leave(open_session)
        await _wait(in_use, used)


def _enter(session: Session, unit: Unit | None, *, write: bool) -> None:
    task = asyncio.current_task() if unit is None else unit.task
    if session.info.setdefault(_CALLER, task) is not task:
        raise SessionSharedAcrossTasks(
            "this session is in use by a call of another task: give each task a session or a unit of its own, or do "
            "the work one after the other"
        )
    if isinstance(session, MemorySession):
        session.busy_since, session.used_by = time.monotonic(), task
        if write:
            session.begin_write()


def _leave(session: Session) -> None:
    del session.info[_CALLER]
    if isinstance(session, MemorySession):
        session.busy_since = None


async def _wait(error: InUse, used: AsyncSession | None) -> None:
    """Waits for the session that holds an object, where that ends without this task."""
    holder, unit = error.session, unit_of(error.session)
    if unit is not None and unit.task is not asyncio.current_task() and is_inherited(unit):
        _ = unit.session  # raises: the task that opened it may be waiting for this one
    ends_by_itself = isinstance(holder, ShortSession) or (unit is not None and unit.task is not asyncio.current_task())
    if not ends_by_itself:
        raise SessionSharedAcrossTasks(
            f"{error.instance!r} is in another open session: pass that one (`session=`), or close it first"
        )
    holder = cast("MemorySession", holder)
    waiting = None if used is None or not isinstance(used.sync_session, MemorySession) else used.sync_session
    if not await _ends(holder, waiting):
        raise SessionSharedAcrossTasks(
            f"{error.instance!r} is in use by another task, which did not end or waits for this one: run this unit by "
            "`await db.run(fn)`, which repeats it when the other has ended, or read an object of your own (`get`)",
            holder,
        )


async def _ends(holder: MemorySession, waiting: MemorySession | None) -> bool:
    """Waits until the session is closed; False where it waits for the waiting one, or takes too long.

    It may wait for a lock of the database that the waiting one holds, which nothing tells: so one call of it that lasts
    ends the wait, very soon where the waiting unit can be repeated.
    """
    if waiting is None:  # it holds nothing
        return await holder.wait_closed(WAIT_S)
    if holder.is_waiting_for(waiting):
        return False
    unit, deadline = unit_of(waiting), time.monotonic() + WAIT_S
    patience_s = _REPEATABLE_PATIENCE_S if unit is not None and unit.is_repeatable else _PATIENCE_S
    waiting.waits_for = holder
    try:
        while not await holder.wait_closed(patience_s):
            now = time.monotonic()
            if now > deadline or (holder.busy_since is not None and now - holder.busy_since > patience_s):
                return False
    finally:
        waiting.waits_for = None
    return True


def in_unit(model: type[Base], session: AsyncSession | None) -> bool:
    """Whether a call would share a transaction with others."""
    return session is not None or unit_for(model) is not None or model.database().task_session() is not None


def atomically(session: Session, steps: int, work: Callable[[], T]) -> T:
    """Runs a write in several steps so that an error undoes all of it, and nothing that was written before.

    The database itself undoes a write in one step. A savepoint is needed only where the transaction has begun.
    """
    if isinstance(session, ShortSession) or steps < 2:
        return work()
    session.flush()
    if not session.in_transaction():
        try:
            return work()
        except DBAPIError:
            session.rollback()
            raise
    return in_savepoint(session, work)


def in_savepoint(session: Session, work: Callable[[], T]) -> T:
    """Runs work in a savepoint."""
    savepoint = session.begin_nested()
    try:
        result = work()
    except Exception as error:
        try:
            savepoint.rollback()
        except DBAPIError:
            if not may_be_repeated(error):  # a deadlock has undone the whole transaction, savepoints too
                raise
        raise
    savepoint.commit()
    return result
