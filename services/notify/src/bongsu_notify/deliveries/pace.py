"""The rate of a provider, shared by all workers: each message has a slot, reserved in one row (GCRA).

Slots lie one interval apart on the database's clock, so no burst follows a pause. A message that is not urgent may
reserve a slot at most `HORIZON_S` ahead: an urgent one never waits for longer than that behind the others, however many
workers have a backlog.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from bongsu.mixins import Database, utc_now, uuid7
from bongsu_notify.channels.port import max_together
from bongsu_notify.notifications.models import SendSlot

HORIZON_S: Final = 0.25
SLOWDOWN: Final = 0.5
MIN_SLOWDOWN: Final = 0.1
RECOVERY_S: Final = 10.0
"""The rate doubles in this time after a throttling, until it is whole again."""
THROTTLE_PAUSE_S: Final = 1.0


class _Slot(NamedTuple):
    next_at: datetime
    slowed_at: datetime | None
    slowdown: float


class Pace:
    """Reserves the slots of a provider.

    :param read_rate: the messages a second that the provider accepts now; None: without a limit.
    :param factor: how much of the rate is used.
    """

    def __init__(
        self, database: Database, provider: str, read_rate: Callable[[], float | None], *, factor: float
    ) -> None:
        self._database = database
        self._provider = provider
        self._read_rate = read_rate
        self._factor = factor
        self._slowed_at = -THROTTLE_PAUSE_S

    @property
    def limit(self) -> int | None:
        """How many messages may start together; None: without a limit."""
        rate = self._read_rate()
        return None if rate is None else max_together(rate)

    async def reserve(self, count: int, *, urgent: bool) -> tuple[int, float]:
        """Reserve slots for messages that start together.

        :returns: how many messages may start in how many seconds. None may where the slots of the near future are
            taken: ask again after that time.
        """
        return await self._database.run(self._reserve, count, urgent=urgent)

    async def slow_down(self) -> None:
        """Halve the rate of all workers, after the provider has throttled. At most once a second."""
        now = time.monotonic()
        if now < self._slowed_at + THROTTLE_PAUSE_S:
            return  # the messages of one call are throttled together
        self._slowed_at = now
        await self._database.run(self._slow_down)

    async def _reserve(self, count: int, *, urgent: bool) -> tuple[int, float]:
        row, now = await self._lock()
        ahead_s = (row.next_at - now).total_seconds()
        if ahead_s > HORIZON_S and not urgent:
            return 0, ahead_s - HORIZON_S
        rate = self._read_rate() or 1.0
        taken_s = count / (rate * self._factor * _slowdown(row, now))
        await self._write(next_at=max(row.next_at, now) + timedelta(seconds=taken_s))
        return count, max(ahead_s, 0.0)

    async def _slow_down(self) -> None:
        row, now = await self._lock()
        if row.slowed_at is not None and (now - row.slowed_at).total_seconds() < THROTTLE_PAUSE_S:
            return
        slowdown = max(MIN_SLOWDOWN, _slowdown(row, now) * SLOWDOWN)
        next_at = max(row.next_at, now + timedelta(seconds=THROTTLE_PAUSE_S))
        await self._write(next_at=next_at, slowdown=slowdown, slowed_at=now)

    async def _lock(self) -> tuple[_Slot, datetime]:
        """The row, locked, and the database's time."""
        rows = SendSlot.filter_by(provider=self._provider)
        found = await rows.lock().values_list("next_at", "slowed_at", "slowdown")
        if not found:
            first = {
                "id": uuid7(),
                "provider": self._provider,
                "next_at": utc_now(),
                "slowed_at": None,
                "slowdown": 1.0,
            }
            await SendSlot.upsert([first], by="provider", update=[])
            found = await rows.lock().values_list("next_at", "slowed_at", "slowdown")
        read = await rows.aggregate(count=("count", "id"), now=utc_now())
        return _Slot(*found[0]), read["now"]

    async def _write(self, **values: object) -> None:
        await SendSlot.filter_by(provider=self._provider).update(**values, updated_at=utc_now())


def _slowdown(row: _Slot, now: datetime) -> float:
    """The fraction of the rate that is used now."""
    if row.slowed_at is None:
        return 1.0
    doublings = (now - row.slowed_at).total_seconds() / RECOVERY_S
    return float(min(1.0, row.slowdown * 2.0 ** min(doublings, 10.0)))
