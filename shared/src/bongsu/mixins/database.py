"""The database of a base: its engine, its sessions and its units of work."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar, ParamSpec, TypeVar, overload

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from bongsu.mixins.connections import Connections
from bongsu.mixins.errors import UnitClosed
from bongsu.mixins.unit import Unit, ambient_unit

P = ParamSpec("P")
T = TypeVar("T")


class Database(Connections):
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
        super().__init__(url, connected, busy_timeout_s, ping_idle_s, engine_options)
        self._task_session: ContextVar[AsyncSession | None] = ContextVar("bongsu_session", default=None)
        connected.__database__ = self

    def unit(self, *, retries: int = 0, isolation: str | None = None, short_lock_wait: bool = False) -> Unit:
        """A unit of work: `async with db.unit() as unit:`; with `retries`, `@db.unit(retries=3)` on an async function.

        `isolation`: an isolation level for this unit only; `short_lock_wait`: it waits 1 s for a lock, in place of the
        usual 10 (MySQL and MariaDB).
        """
        return Unit(self, retries=retries, isolation=isolation, short_lock_wait=short_lock_wait)

    @overload
    async def run(
        self, function: Callable[[], Awaitable[T]], *, retries: int = 3, isolation: str | None = None
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
