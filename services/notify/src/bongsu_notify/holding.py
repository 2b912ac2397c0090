"""Holding on to a job while the database is away: its message stays unacknowledged, and spends no delivery limit."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import exc as sqlalchemy_errors

from bongsu.mixins import may_be_repeated
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal

log = get_logger(__name__)
T = TypeVar("T")

AWAY_MYSQL: Final = frozenset(
    {
        *(2002, 2003, 2005, 2006, 2013, 2014, 2055),  # the client's: cannot connect, or the connection is lost
        *(1042, 1043, 1152, 1154, 1158, 1159, 1160, 1161, 1184),  # the same, as the server tells it
        *(1040, 1129, 1130, 1203, 1226),  # no more connections, or none from here
        *(1044, 1045, 1049, 1698),  # it lets us not in: a password that is being changed, a server that is not set up
        *(1053, 1077, 1079, 1080, 1317, 1927, 4031),  # it stops, or an operator or a time limit ended the connection
        *(1290, 1792, 1836, 3100, 3101, 1047),  # it may not write now: a fail-over
        *(1021, 1037, 1038, 1041, 1114),  # its disk or memory is full
        *(1205, 1213, 3024, 3572, 1969),  # it was too busy
    }
)
AWAY_SQLITE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
ANSWER_S: Final = 60.0
"""How long the database may take over one try. One that vanished without a word would be waited for for ever: the
driver has no time limit of its own."""
PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)


class Abandoned(Exception):
    """The process ends while the database is away: the broker hands the job out again."""


class Holding:
    """Does what needs the database again and again until it answers, and tells whether anything waits for that.

    :param registry: where its metric goes.
    """

    def __init__(self, stop: StopSignal, registry: CollectorRegistry | None = None) -> None:
        self._stop = stop
        self._held = 0
        gauge = Gauge(
            "notify_holding",
            "Whether jobs are held because the database does not answer",
            registry=registry or CollectorRegistry(),
        )
        gauge.set_function(lambda: float(self._held > 0))

    async def until_database_answers(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something until the database answers. The consumer's prefetch bounds how much is held.

        What the database refuses (a column that is not there, say) is raised: no waiting mends it, and the job is to
        go the way of every job that fails.

        :param work: a whole unit of work, which may be repeated.
        :raises Abandoned: the process is to end.
        """
        tried = 0
        with ExitStack() as held:
            while True:
                try:
                    async with asyncio.timeout(ANSWER_S):
                        return await work()
                except Exception as error:
                    if not is_away(error):
                        raise
                    if not tried:
                        held.enter_context(self._holding())
                    log.warning("job.held", error=type(error).__name__, tried=tried + 1)
                    if await self._stop.sleep(PAUSES_S[min(tried, len(PAUSES_S) - 1)]):
                        raise Abandoned from error
                    tried += 1

    @contextmanager
    def _holding(self) -> Iterator[None]:
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1


def is_away(error: Exception) -> bool:
    """Whether an error says that the database cannot be had now, and not that it will not do what was asked."""
    if isinstance(error, sqlalchemy_errors.TimeoutError | ConnectionError | TimeoutError) or may_be_repeated(error):
        return True
    if not isinstance(error, sqlalchemy_errors.DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        # The low byte is the kind; what is above it says more of it. Errors of the driver's own have none.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in AWAY_SQLITE
    number = cause.args[0] if cause is not None and cause.args else None
    if isinstance(number, int) and number > 0:
        return number in AWAY_MYSQL
    # What the server says has a number; without one it is the driver, whose connection failed or was closed.
    return isinstance(error, sqlalchemy_errors.OperationalError | sqlalchemy_errors.InterfaceError)
