"""The rate of a provider, shared by all workers: each message has a slot, reserved in one row (GCRA).

Slots lie one interval apart on the database's clock, so no burst follows a pause. A message that is not urgent reserves
a slot at most `HORIZON_S` ahead, and twice the time of its claim: an urgent one never waits for longer than that behind
the others, however many workers have a backlog. In its own worker it waits behind none: it takes over the first slot
that another message waits for, which gets its slot. A message is claimed while it waits for its slot. A call that
missed its slot takes another: calls that a stall delayed would go out together.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import CursorResult, Update, bindparam, select, update

from bongsu.mixins import Database, GroupCommit, utc_now, uuid7
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.port import max_together
from bongsu_notify.notifications.models import SendSlot

HORIZON_S: Final = 0.5
LATE_S: Final = 0.05
"""A call starts at most this long after its slot. Together with the factor it keeps a second at the rate and one."""
EARLY_S: Final = 0.02
"""A call whose claim took less time than expected starts at most this long before its slot."""
SHORT_SLEEP_S: Final = 0.1
"""A sleep that the end of the process need not interrupt: that costs more than the sleep itself."""
NEWEST_WEIGHT: Final = 0.2
"""The weight of the newest in the average time that claims and reservations take."""
MAX_LEAD_S: Final = 1.0
MAX_MISSED: Final = 5
"""A call that missed so many slots starts at the next one, late or not: a process that always stalls must send too."""
SLOWDOWN: Final = 0.5
MIN_SLOWDOWN: Final = 0.1
CLOCK_STEP_S: Final = 0.005
"""Clocks that differ by more than they did, and than an answer took, were set."""
RECOVERY_S: Final = 10.0
"""The rate doubles in this time after a throttling, until it is whole again."""
THROTTLE_PAUSE_S: Final = 1.0
SLOW_DOWN_LIMIT_S: Final = 10.0
"""The driver has no time limit: a server that vanished would be waited for forever."""
_ROW: Final = select(SendSlot.next_at, SendSlot.slowed_at, SendSlot.slowdown, utc_now()).where(
    SendSlot.provider == bindparam("provider")
)
"""Built once, as `_change`: every reservation reads and changes it."""


@cache
def _change(*names: str) -> Update:
    is_unchanged = (SendSlot.provider == bindparam("provider_")) & (SendSlot.next_at == bindparam("read_next_at"))
    values = {name: bindparam(name, type_=SendSlot.__table__.c[name].type) for name in names}
    return update(SendSlot).where(is_unchanged).values(**values, updated_at=utc_now())


class Slot(NamedTuple):
    """When a call may start, and when that was decided, by the event loop's clock."""

    starts_at: float
    reserved_at: float


@dataclass(slots=True, eq=False)
class _Waiter:
    """Messages that wait for their slots, of which an urgent one may exchange the first for a later slot."""

    slots: list[Slot]


class Reservation(NamedTuple):
    """The slots of messages; without any, the time in seconds after which to ask again."""

    slots: Sequence[Slot]
    retry_after_s: float


class Request(NamedTuple):
    """A request for slots: `messages` at most, and `lead_s` ahead at least."""

    messages: int
    urgent: bool
    lead_s: float

    @property
    def horizon_s(self) -> float:
        """How far ahead slots are given out: farther where claims take longer, so that few slots are missed."""
        return HORIZON_S + 2 * self.lead_s


class _Row(NamedTuple):
    next_at: datetime
    slowed_at: datetime | None
    slowdown: float
    now: datetime
    read_at: float
    """`now`, by the event loop's clock."""


class DatabaseClock:
    """When the database's time was read, by the event loop's clock.

    An answer that comes late, as this process stalls, would move a slot: a faster answer before it says more exactly
    how the clocks differ. It is used for `max_age_s`, as long as it lies within what later answers allow.
    """

    def __init__(self, max_age_s: float = 60.0) -> None:
        self._max_age_s = max_age_s
        self._best: tuple[datetime, float, float] | None = None
        """The database's time, when it was read at the earliest, and how much later at the latest."""

    def locate(self, time: datetime, before: float, after: float) -> float:
        """When `time` was read.

        :param before: when the statement was sent.
        :param after: when its answer was here.
        """
        if self._best is not None:
            best, since, spread_s = self._best
            expected = since + spread_s / 2 + (time - best).total_seconds()
            is_consistent = before - CLOCK_STEP_S <= expected <= after + CLOCK_STEP_S
            if is_consistent and spread_s < after - before and after - since < self._max_age_s:
                return expected
        self._best = (time, before, after - before)
        return (before + after) / 2


class Pace:
    """Reserves the slots of a provider.

    :param read_rate: the messages a second that the provider accepts now; None: without a limit.
    :param factor: how much of the rate is used.
    :param slow_down_limit_s: how long `slow_down` may take.
    """

    def __init__(
        self,
        database: Database,
        provider: str,
        read_rate: Callable[[], float | None],
        *,
        factor: float,
        slow_down_limit_s: float = SLOW_DOWN_LIMIT_S,
    ) -> None:
        self._database = database
        self._provider = provider
        self._read_rate = read_rate
        self._factor = factor
        self._slow_down_limit_s = slow_down_limit_s
        self._slowed_at = -THROTTLE_PAUSE_S
        self._reserve_s = self._claim_s = 0.0
        self._clock = DatabaseClock()
        self._waiters: set[_Waiter] = set()
        """Those that are not urgent."""
        self._commit: GroupCommit[Request, Reservation] = GroupCommit(database, self._reserve, max_flights=1)

    @property
    def is_limited(self) -> bool:
        """Whether messages need slots."""
        return self._read_rate() is not None

    async def reserve(self, count: int, *, urgent: bool) -> Reservation:
        """Reserve slots for at most `count` messages: as many as start soon, and for urgent ones one at least."""
        reservation = await self._commit.submit(Request(count, urgent, self._reserve_s + self._claim_s))
        if reservation.slots:
            self._reserve_s = _average(self._reserve_s, _now() - reservation.slots[0].reserved_at)
        return reservation

    def learn(self, claim_s: float) -> None:
        """Learn how long a claim takes: slots lie that far ahead at least."""
        self._claim_s = _average(self._claim_s, claim_s)

    def is_reachable(self, slot: Slot) -> bool:
        """Whether a claim that begins now ends before the slot."""
        return _now() + self._claim_s <= slot.starts_at

    async def wait_to_claim(self, slot: Slot, stop: StopSignal) -> bool:
        """Wait until a claim that begins ends at its slot. Returns False if the process is ending."""
        return await _sleep_until(slot.starts_at - self._claim_s, stop)

    async def wait_claimed(self, slot: Slot, stop: StopSignal) -> bool:
        """Wait for a slot that the claim was early for. Returns False if it is missed, or the process is ending."""
        return not is_late(slot) and await _sleep_until(slot.starts_at - EARLY_S, stop) and not is_late(slot)

    @property
    def horizon_s(self) -> float:
        """How far ahead messages that are not urgent have slots now."""
        return Request(0, False, self._reserve_s + self._claim_s).horizon_s

    def find_start(self, slot: Slot) -> float:
        """When an urgent message with this slot may start: by the slot that it would take over, or by its own."""
        first = self._find_first_waiter()
        return slot.starts_at if first is None else min(slot.starts_at, first.slots[0].starts_at)

    async def wait(self, slots: list[Slot], stop: StopSignal, *, urgent: bool = False) -> int:
        """Wait for the first of some slots, and for another one in place of each that is missed by far.

        :param slots: in order. Those that are exchanged or missed are replaced.
        :returns: how many of them have come; 0 if the process is ending.
        """
        lead_s = 0.0
        for _ in range(MAX_MISSED):
            if not is_late(slots[0]):
                await self._wait_in_turn(slots, stop, urgent=urgent)
                if stop.is_set():
                    return 0
                if not is_late(slots[0]):
                    return _count_first(slots)  # nothing has stalled this process meanwhile
            missed = sum(map(is_late, slots))
            requests = [self._commit.submit(Request(1, True, lead_s)) for _ in range(missed)]
            slots[:missed] = [slot for one in await asyncio.gather(*requests) for slot in one.slots]
            slots.sort()
            # Where the database is slow, the next one would be missed as well.
            lead_s = min(_now() - slots[0].reserved_at, MAX_LEAD_S)
        return _count_first(slots) if await _sleep_until(slots[0].starts_at, stop) else 0

    async def _wait_in_turn(self, slots: list[Slot], stop: StopSignal, *, urgent: bool) -> None:
        """Wait for the first slot, or for the one that it is exchanged for."""
        waiter = _Waiter(slots)
        if not urgent:
            self._waiters.add(waiter)
        elif (first := self._find_first_waiter()) is not None and first.slots[0].starts_at < slots[0].starts_at:
            slots[0], first.slots[0] = first.slots[0], slots[0]
            first.slots.sort()
        awaited: Slot | None = None
        try:
            while awaited != slots[0] and not stop.is_set():
                awaited = slots[0]
                await _sleep_until(awaited.starts_at, stop)
        finally:
            self._waiters.discard(waiter)

    def _find_first_waiter(self) -> _Waiter | None:
        now = _now()
        ahead = (waiter for waiter in self._waiters if waiter.slots[0].starts_at > now)
        return min(ahead, key=lambda waiter: waiter.slots[0].starts_at, default=None)

    async def close(self) -> None:
        """Finish the reservations in progress."""
        await self._commit.close()

    async def slow_down(self) -> None:
        """Halve the rate of all workers, after the provider has throttled. At most once a second.

        :raises TimeoutError: it took too long.
        """
        now = time.monotonic()
        if now < self._slowed_at + THROTTLE_PAUSE_S:
            return  # the messages of one call are throttled together
        self._slowed_at = now
        async with asyncio.timeout(self._slow_down_limit_s):
            await self._database.run(self._slow_down)

    async def _reserve(self, requests: Sequence[Request]) -> Sequence[Reservation]:
        # Compare and set: a lock would be held for as long as this process takes for two statements more.
        while True:
            row = await self._read()
            rate = self._read_rate() or 1.0
            interval_s = 1 / (rate * self._factor * _slowdown(row))
            free_in_s = (row.next_at - row.now).total_seconds()
            together = max_together(rate)
            reservations, taken_s = allot(requests, free_in_s, interval_s, together=together, now=row.read_at)
            has_slots = any(one.slots for one in reservations)
            if not has_slots or await self._write(row, next_at=row.now + timedelta(seconds=taken_s)):
                return reservations

    async def _slow_down(self) -> None:
        while True:
            row = await self._read()
            if row.slowed_at is not None and (row.now - row.slowed_at).total_seconds() < THROTTLE_PAUSE_S:
                return
            slowdown = max(MIN_SLOWDOWN, _slowdown(row) * SLOWDOWN)
            next_at = max(row.next_at, row.now + timedelta(seconds=THROTTLE_PAUSE_S))
            if await self._write(row, next_at=next_at, slowdown=slowdown, slowed_at=row.now):
                return

    async def _read(self) -> _Row:
        """The row, which is made by the first that reads it."""
        before = _now()
        found = await self._find()
        if found is None:
            first = {"id": uuid7(), "provider": self._provider, "next_at": utc_now()}
            await SendSlot.upsert([first | {"slowed_at": None, "slowdown": 1.0}], by="provider", update=[])
            before = _now()
            found = await self._find()
        assert found is not None  # noqa: S101 - it was inserted above
        next_at, slowed_at, slowdown, now = found
        return _Row(next_at, slowed_at, slowdown, now, read_at=self._clock.locate(now, before, _now()))

    async def _find(self) -> tuple[datetime, datetime | None, float, datetime] | None:
        unit = self._database.ambient()
        assert unit is not None  # noqa: S101 - slots are reserved in a unit of work
        # SQL of its own, as the mixins build a statement for each call.
        found = (await unit.session.execute(_ROW, {"provider": self._provider})).one_or_none()
        return None if found is None else (*found,)

    async def _write(self, row: _Row, **values: object) -> bool:
        """Change the row. Returns False if it has changed since it was read."""
        unit = self._database.ambient()
        assert unit is not None  # noqa: S101 - slots are reserved in a unit of work
        given = {"provider_": self._provider, "read_next_at": row.next_at} | values
        # SQL of its own, as above.
        changed = await unit.session.execute(_change(*values), given, execution_options={"synchronize_session": False})
        return cast("CursorResult[Any]", changed).rowcount > 0


def _slowdown(row: _Row) -> float:
    """The fraction of the rate that is used now."""
    if row.slowed_at is None:
        return 1.0
    doublings = (row.now - row.slowed_at).total_seconds() / RECOVERY_S
    return float(min(1.0, row.slowdown * 2.0 ** min(doublings, 10.0)))


def _count_first(slots: Sequence[Slot]) -> int:
    """How many slots are at the same time as the first."""
    return sum(slot.starts_at == slots[0].starts_at for slot in slots)


def is_late(slot: Slot) -> bool:
    """Whether a slot is missed by far."""
    return _now() > slot.starts_at + LATE_S


def allot(
    requests: Sequence[Request], free_in_s: float, interval_s: float, *, together: int, now: float
) -> tuple[Sequence[Reservation], float]:
    """Give out slots.

    :param free_in_s: when the next slot is free.
    :param together: how many messages may start at the same time.
    :param now: the time that the others are relative to, by the event loop's clock.
    :returns: a reservation for each request, and when the next slot is free then.
    """
    reservations: list[Reservation] = []
    start_s, left = 0.0, 0
    for request in requests:
        slots: list[Slot] = []
        while len(slots) < request.messages and (free_in_s <= request.horizon_s or (request.urgent and not slots)):
            if not left or start_s < request.lead_s:
                start_s = free_in_s = max(free_in_s, request.lead_s)
                left = together
            slots.append(Slot(now + start_s, now))
            free_in_s += interval_s
            left -= 1
        # Not as soon as one is free: some at a time take fewer transactions.
        reservations.append(Reservation(slots, 0.0 if slots else free_in_s - request.horizon_s / 2))
    return reservations, free_in_s


def _average(before_s: float, newest_s: float) -> float:
    return before_s + NEWEST_WEIGHT * (min(newest_s, MAX_LEAD_S) - before_s)


async def _sleep_until(at: float, stop: StopSignal) -> bool:
    delay_s = at - _now()
    if 0 < delay_s <= SHORT_SLEEP_S:
        await asyncio.sleep(delay_s)
    elif delay_s > 0:
        await stop.sleep(delay_s)
    return not stop.is_set()


def _now() -> float:
    return asyncio.get_running_loop().time()
