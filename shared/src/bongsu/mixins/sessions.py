"""The session that a call uses: the one it is given, else its task's unit of work, else a short one of its own."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from bongsu.mixins.errors import SessionSharedAcrossTasks
from bongsu.mixins.failures import may_be_repeated, translating
from bongsu.mixins.memory import WAIT_S, InUse, MemorySession, ShortSession
from bongsu.mixins.unit import is_inherited, unit_for, unit_of

if TYPE_CHECKING:
    from bongsu.mixins.base import Base

T = TypeVar("T")

_CALLER = "bongsu_caller"  # in a session's info: the task whose call is using it


async def read(model: "type[Base]", session: AsyncSession | None, work: Callable[[Session], T]) -> T:
    """Runs `work`, which only reads."""
    return await _run(model, session, work, write=False, commit=False)


async def write(
    model: "type[Base]", session: AsyncSession | None, work: Callable[[Session], T], *, commit: bool = False
) -> T:
    """Runs `work`, which writes. A session of the call's own is committed; a given one only if `commit` says so."""
    return await _run(model, session, work, write=True, commit=commit)


async def _run(
    model: "type[Base]", session: AsyncSession | None, work: Callable[[Session], T], *, write: bool, commit: bool
) -> T:
    while True:
        unit = None if session is not None else unit_for(model)
        used = session if unit is None else unit.session
        if used is None:
            used = model.database().task_session()
        try:
            if used is None:
                with translating(model.metadata, None):
                    return await model.database().alone(work, write=write)
            return await _run_in(used, model, work, write=write, commit=commit)
        except InUse as error:
            await _wait(error, used)


async def _run_in(
    session: AsyncSession, model: "type[Base]", work: Callable[[Session], T], *, write: bool, commit: bool
) -> T:
    with translating(model.metadata, session):
        task, info = asyncio.current_task(), session.info
        if info.setdefault(_CALLER, task) is not task:
            raise SessionSharedAcrossTasks(
                "this session is in use by a call of another task: give each task a session or a unit of its own, or "
                "do the work one after the other"
            )
        if write and isinstance(session.sync_session, MemorySession):
            session.sync_session.has_written = True
        try:
            result = await session.run_sync(work)
            if commit and unit_of(session.sync_session) is None:  # a unit commits once, at its end
                await session.commit()
        finally:
            del info[_CALLER]
    return result


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
    # A session that holds locks of the database must not wait: the other task may wait for these.
    if used is not None and (unit_of(used.sync_session) is None or used.in_transaction()):
        raise SessionSharedAcrossTasks(
            f"{error.instance!r} is in use by another task: run this unit by `await db.run(fn)`, which repeats it when "
            "the other has ended, or read an object of your own in it (`get`)",
            holder,
        )
    if not await holder.wait_closed(WAIT_S):
        raise SessionSharedAcrossTasks(
            f"{error.instance!r} is in the unit of work of another task, which did not end in {WAIT_S:g} s: read an "
            "object of your own (`get`)"
        )


def in_unit(model: "type[Base]", session: AsyncSession | None) -> bool:
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
