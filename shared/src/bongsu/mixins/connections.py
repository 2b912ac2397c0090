"""An engine and the sessions on it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar, cast

from sqlalchemy import URL, literal, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Session

from bongsu.mixins.engine import READING, SHORT_LOCK_WAIT, build_engine
from bongsu.mixins.failures import is_deadlock
from bongsu.mixins.memory import LongSession, ShortSession

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
        await _to_end(super().commit())

    async def close(self) -> None:
        """Closes the session; a cancellation is raised when that is done."""
        await _to_end(super().close())


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
        return self.new_session(LongSession)

    def new_session(
        self, sync_session_class: type[Session], *, write: bool = True, short_lock_wait: bool = False
    ) -> AsyncSession:
        """A session whose transactions may write, or of which SQLite needs none."""
        engine = self._reading if not write else self._hasty if short_lock_wait else self.engine
        return OwnedSession(engine, expire_on_commit=False, sync_session_class=sync_session_class)

    async def alone(self, work: Callable[[Session], T], *, write: bool) -> T:
        """Runs one call's work in a short session of its own: commits it, and repeats it after a deadlock."""
        for attempt in range(_OWN_RETRIES + 1):
            session = self.new_session(ShortSession, write=write)
            try:
                if not write:
                    return await session.run_sync(_read_alone, work)
                cast("ShortSession", session.sync_session).has_written = True
                result = await session.run_sync(work)
                await _to_end(session.run_sync(_commit_and_close))
            except BaseException as error:
                await session.close()
                if not write or attempt == _OWN_RETRIES or not is_deadlock(error):
                    raise
            else:
                return result
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


async def _to_end(work: Coroutine[Any, Any, T]) -> T:
    """Awaits work to its end (at most `WAIT_S` longer) although the task is cancelled, and raises that then."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
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


def _read_alone(session: Session, work: Callable[[Session], T]) -> T:
    result = work(session)
    session.close()
    return result


def _commit_and_close(session: Session) -> None:
    session.commit()
    session.close()
