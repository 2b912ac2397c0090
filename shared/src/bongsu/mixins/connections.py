"""An engine and the sessions on it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import URL, literal, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.util import greenlet_spawn

from bongsu.mixins.engine import READING, SHORT_LOCK_WAIT, build_engine
from bongsu.mixins.failures import is_deadlock
from bongsu.mixins.memory import MemorySession, ShortSession

T = TypeVar("T")

WAIT_S = 10.0
"""How long a call or a unit waits for an object that another task's session holds, and a cancelled one for a commit."""
_OWN_RETRIES = 2


class OwnedSession(AsyncSession):
    """An `AsyncSession` whose commits and closes come to their end although the task is cancelled meanwhile.

    A commit that is cut off leaves in doubt what the rows hold, and a close that is cut off leaks its connection.
    """

    async def commit(self) -> None:
        """Commits; a cancellation is raised when the commit has ended."""
        await to_end(super().commit())

    async def close(self) -> None:
        """Closes the session; a cancellation is raised when that is done."""
        await to_end(super().close())


class Connections:
    """The engine of a base's tables, and the sessions on it."""

    def __init__(
        self,
        url: str | URL,
        base: type[DeclarativeBase],
        busy_timeout_s: float,
        ping_idle_s: float,
        engine_options: dict[str, Any],
    ) -> None:
        parsed = make_url(url)
        self.base = base
        self.dialect_name = parsed.get_backend_name()
        self.engine: AsyncEngine = build_engine(parsed, busy_timeout_s, ping_idle_s, engine_options)
        self._reading = self.engine.execution_options(**READING)
        self._hasty = self.engine.execution_options(**SHORT_LOCK_WAIT)

    def session(self) -> AsyncSession:
        """A session that its user commits: `async with db.session() as session:`, to be passed as `session=`."""
        return self.new_session(MemorySession)

    def new_session(self, sync_session_class: type[Session], *, short_lock_wait: bool = False) -> AsyncSession:
        """A session whose transactions may write."""
        engine = self._hasty if short_lock_wait else self.engine
        return OwnedSession(engine, expire_on_commit=False, sync_session_class=sync_session_class)

    async def alone(self, work: Callable[[Session], T], *, write: bool) -> T:
        """Runs one call's work in a short session of its own: commits it, and repeats it after a deadlock."""
        engine = (self.engine if write else self._reading).sync_engine
        for attempt in range(_OWN_RETRIES + 1):
            session = ShortSession(engine, expire_on_commit=False)
            session.used_by = asyncio.current_task()
            try:
                if not write:
                    return await greenlet_spawn(_read, session, work)
                return await to_end(greenlet_spawn(_write, session, work), session)
            except BaseException as error:
                await to_end(greenlet_spawn(session.close))
                if not write or attempt == _OWN_RETRIES or not is_deadlock(error):
                    raise
        raise AssertionError("unreachable")

    async def create_all(self) -> None:
        """Creates the tables of the base that do not exist yet."""
        async with self.engine.begin() as connection:
            await connection.run_sync(self.base.metadata.create_all)

    async def drop_all(self) -> None:
        """Drops the tables of the base."""
        async with self.engine.begin() as connection:
            await connection.run_sync(self.base.metadata.drop_all)

    async def ping(self) -> None:
        """Run a trivial statement; raises the error of the driver when the database does not answer."""
        async with self._reading.connect() as connection:
            await connection.execute(select(literal(1)))


async def to_end(work: Coroutine[Any, Any, T], session: MemorySession | None = None) -> T:
    """Awaits work to its end (at most `WAIT_S` longer) although the task is cancelled, and raises that then.

    With a session, the work is cancelled too unless that has begun to commit or to close.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if session is not None and not session.is_ending:
            task.cancel()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_S
        while not task.done() and (left_s := deadline - loop.time()) > 0:
            with suppress(asyncio.CancelledError):  # another one says the same
                await asyncio.wait({task}, timeout=left_s)
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # retrieved: the cancellation is what is raised
        raise


def _read(session: Session, work: Callable[[Session], T]) -> T:
    result = work(session)
    session.close()
    return result


def _write(session: ShortSession, work: Callable[[Session], T]) -> T:
    session.begin_write()
    result = work(session)
    session.commit()
    session.close()
    return result
