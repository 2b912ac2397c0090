"""Holding on to a job while the database is away: its message stays unacknowledged, and spends no delivery limit."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Gauge

from bongsu.mixins import is_unavailable
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal

log = get_logger(__name__)
T = TypeVar("T")

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

    async def retry_while_unavailable(self, work: Callable[[], Awaitable[T]]) -> T:
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
                    if not is_unavailable(error):
                        raise
                    if not tried:
                        held.enter_context(self._holding())
                    log.warning("job.waiting_for_database", error=type(error).__name__, tried=tried + 1)
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
