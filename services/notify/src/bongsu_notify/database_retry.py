"""Repeats a job's database work while the database is unavailable. The job stays unacknowledged and spends no delivery
limit."""

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

PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)


class Abandoned(Exception):
    """The process stops while the database is unavailable: the broker redelivers the job."""


class DatabaseRetry:
    """Repeats units of work, and exports whether any is waiting (`notify_holding`).

    :param registry: the metric's; a private one by default.
    :param try_timeout_s: limit of one try. The driver has none, so a server that vanished would be waited for forever.
    """

    def __init__(
        self, stop: StopSignal, registry: CollectorRegistry | None = None, *, try_timeout_s: float = 60.0
    ) -> None:
        self._stop = stop
        self._try_timeout_s = try_timeout_s
        self._waiting = 0
        gauge = Gauge(
            "notify_holding",
            "Whether jobs wait for a database that is unavailable",
            registry=registry or CollectorRegistry(),
        )
        gauge.set_function(lambda: float(self._waiting > 0))

    async def retry_while_unavailable(self, work: Callable[[], Awaitable[T]], *, is_bounded: bool = False) -> T:
        """Run `work` until the database is available. The consumer's prefetch bounds how many jobs wait.

        Errors that the database reports about the work itself (an unknown column) are raised.

        :param work: a whole unit of work, safe to repeat.
        :param is_bounded: `work` has a time limit of its own, as `GroupCommit.submit` has.
        :raises Abandoned: the process stops.
        """
        tries = 0
        with ExitStack() as waiting:
            while True:
                try:
                    if is_bounded:
                        return await work()
                    async with asyncio.timeout(self._try_timeout_s):
                        return await work()
                except Exception as error:
                    if not is_unavailable(error):
                        raise
                    if not tries:
                        waiting.enter_context(self._count())
                    tries += 1
                    log.warning("job.waiting_for_database", error=type(error).__name__, tries=tries)
                    if await self._stop.sleep(PAUSES_S[min(tries, len(PAUSES_S)) - 1]):
                        raise Abandoned from error

    @contextmanager
    def _count(self) -> Iterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
