"""The database of a base: its engine, its sessions and its units of work."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar, ParamSpec, TypeVar, TypeVarTuple, overload

from sqlalchemy import URL, literal, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.util import greenlet_spawn

from bongsu.mixins.engine import READING, SHORT_LOCK_WAIT, build_engine
from bongsu.mixins.errors import UnitClosed
from bongsu.mixins.failures import is_deadlock
from bongsu.mixins.memory import MemorySession, OwnedSession, ShortSession, to_end
from bongsu.mixins.unit import Unit, ambient_unit

P = ParamSpec("P")
Arguments = TypeVarTuple("Arguments")
T = TypeVar("T")

_OWN_RETRIES = 2


class Database:
    """Connects `base` (and every model on it) to `url`: `mysql+aiomysql://…`, `mysql+asyncmy://…`, `sqlite+aiosqlite:///path`.

    Without `base` it is `Base`. `engine_options` are `create_async_engine`'s; `busy_timeout_s` is how long SQLite's
    writers wait for one another, `ping_idle_s` after how long without use a MySQL connection is pinged before its next
    use. The last `Database` made for a base is the one that its models use. `dispose` it before the event loop ends.
    """

    default_base: ClassVar[type[DeclarativeBase]]
    """`Base`, which is defined above this module."""

    def __init__(
        self,
        url: str | URL,
        base: type[DeclarativeBase] | None = None,
        *,
        busy_timeout_s: float = 10,
        ping_idle_s: float = 1,
        **engine_options: Any,  # noqa: ANN401  # SQLAlchemy's own, passed through
    ) -> None:
        connected: Any = self.default_base if base is None else base
        parsed = make_url(url)
        self.base = connected
        self.dialect_name = parsed.get_backend_name()
        self.engine: AsyncEngine = build_engine(parsed, busy_timeout_s, ping_idle_s, engine_options)
        self._reading = self.engine.execution_options(**READING)
        self._hasty = self.engine.execution_options(**SHORT_LOCK_WAIT)
        self._task_session: ContextVar[AsyncSession | None] = ContextVar("bongsu_session", default=None)
        connected.__database__ = self

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

    def unit(self, *, retries: int = 0, isolation: str | None = None, short_lock_wait: bool = False) -> Unit:
        """A unit of work: `async with db.unit() as unit:`; with `retries`, `@db.unit(retries=3)` on an async function.

        `isolation`: an isolation level for this unit only; `short_lock_wait`: it waits 1 s for a lock, in place of the
        usual 10 (MySQL and MariaDB).
        """
        return Unit(self, retries=retries, isolation=isolation, short_lock_wait=short_lock_wait)

    @overload
    async def run(
        self,
        function: Callable[[*Arguments], Awaitable[T]],
        *args: *Arguments,
        retries: int = 3,
        isolation: str | None = None,
    ) -> T: ...

    @overload
    async def run(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...

    async def run(  # type: ignore[misc]  # a function's own `retries` or `isolation` is not passed on
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,  # the overloads type them
        retries: int = 3,
        isolation: str | None = None,
        **kwargs: Any,
    ) -> T:
        """Run `function(*args, **kwargs)` as a unit of work, as `asyncio.to_thread` runs one in a thread.

        After a deadlock, a lock time-out or SQLite's busy all of it is repeated, up to `retries` times. `retries` and
        `isolation` (an isolation level, MySQL and MariaDB) are this method's own and are not passed on.
        """
        return await Unit(self, retries=retries, isolation=isolation).run(partial(function, *args, **kwargs))

    def ambient(self) -> Unit | None:
        """The open unit of work that the running code is in, None outside of one."""
        return ambient_unit(self)

    def task_session(self) -> AsyncSession | None:
        """The session that `set_session` gave the running task."""
        return self._task_session.get()

    def set_session(self, session: AsyncSession | None) -> None:
        """Makes the calls of the running task, outside of units, use this session; None ends that."""
        self._task_session.set(session)

    def scoped_session(self) -> AsyncSession:
        """The session of the running task: its unit's, else the one of `set_session`; `UnitClosed` without one."""
        unit = self.ambient()
        session = self.task_session() if unit is None else unit.session
        if session is None:
            raise UnitClosed("this task has no session: open `async with db.unit():`, or call set_session() first")
        return session

    async def dispose(self) -> None:
        """Closes every pooled connection, and disconnects the base if it still uses this database."""
        base: Any = self.base
        if base.__dict__.get("__database__") is self:
            base.__database__ = None
        await self.engine.dispose()


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
