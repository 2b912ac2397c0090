"""Holding on to a job while the database is down: its message stays unacknowledged, and spends no delivery limit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sqlalchemy import exc as sqlalchemy_errors

from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal

log = get_logger(__name__)
T = TypeVar("T")

DATABASE_DOWN: Final = (
    sqlalchemy_errors.OperationalError,
    sqlalchemy_errors.InterfaceError,
    sqlalchemy_errors.TimeoutError,
    ConnectionError,
    TimeoutError,
)
ANSWER_S: Final = 60.0
"""How long the database may take over one try. One that vanished without a word would be waited for for ever: the
driver has no time limit of its own."""
PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)


class Abandoned(Exception):
    """The process ends while the database is down: the broker hands the job out again."""


async def until_database_answers(work: Callable[[], Awaitable[T]], stop: StopSignal) -> T:
    """Do something again and again until the database answers. The consumer's prefetch bounds how much is held.

    :param work: a whole unit of work, which may be repeated.
    :raises Abandoned: the process is to end.
    """
    tried = 0
    while True:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await work()
        except DATABASE_DOWN as error:
            log.warning("job.held", error=type(error).__name__, tried=tried + 1)
            if await stop.sleep(PAUSES_S[min(tried, len(PAUSES_S) - 1)]):
                raise Abandoned from error
            tried += 1
