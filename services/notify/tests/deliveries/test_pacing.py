"""The times of calls when four workers share a rate. Time is virtual, and the database as slow as on a busy machine."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from uuid import UUID, uuid4

import pytest

from bongsu.contracts.queues import Priority
from bongsu.mixins import Database
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.port import max_together
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.deliveries.pace import HORIZON_S, MAX_MISSED, DatabaseClock, Pace, Request, Reservation, Slot, allot
from bongsu_notify.deliveries.stream import Job, Stream
from services.notify.tests.deliveries import virtual_time

RATE = 14.0
TARGET = RATE * 0.95
WORKERS = 4
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
Latency = Callable[[], float]


@dataclass
class SharedRow:
    """The row of slots, in memory. The database's clock is the event loop's."""

    free_at: float = 0.0
    reservations: int = 0


@dataclass
class Reserver:
    """Reserves slots of the row as `Pace` does: compare and set. Each statement takes `latency` seconds."""

    row: SharedRow
    latency: Latency
    rate: float = RATE
    clock: DatabaseClock = field(default_factory=DatabaseClock)

    async def submit(self, request: Request) -> Reservation:
        time = asyncio.get_running_loop().time
        # In virtual time, in which a statement takes this long: it waits for nothing.
        while True:
            before = time()
            await asyncio.sleep(self.latency() / 2)
            read_at, free_at = time(), self.row.free_at
            await asyncio.sleep(self.latency() / 2)
            now = self.clock.locate(EPOCH + timedelta(seconds=read_at), before, time())
            (reservation,), taken_s = allot(
                [request], free_at - read_at, 1 / (self.rate * 0.95), together=max_together(self.rate), now=now
            )
            await asyncio.sleep(self.latency() / 2)
            if self.row.free_at == free_at:
                break
        if reservation.slots:
            self.row.free_at = read_at + taken_s
        self.row.reservations += 1
        await asyncio.sleep(self.latency() / 2)
        return reservation

    async def close(self) -> None: ...


@dataclass
class Worker:
    """Claims and calls as `DeliveryHandler` does. `calls` are the times, `waits` how long claims waited for calls."""

    row: SharedRow
    latency: Latency
    calls: list[float]
    waits: dict[bool, list[float]]
    rate: float = RATE
    stop: StopSignal = field(default_factory=StopSignal)
    called_at: dict[UUID, float] = field(default_factory=dict)
    needless: set[UUID] = field(default_factory=set)
    """Jobs whose claim finds nothing to send."""

    def __post_init__(self) -> None:
        self.pace = Pace(Database("sqlite+aiosqlite://"), "email", lambda: self.rate, factor=0.95)
        self.pace._commit = Reserver(self.row, self.latency, self.rate)  # type: ignore[assignment]  # the one thing that needs a database
        retry = DatabaseRetry(self.stop)
        self.stream = Stream(self.deliver, pace=self.pace, retry=retry, stop=self.stop, slots=64, large_budget_bytes=1)

    async def deliver(self, jobs: Sequence[Job]) -> None:
        first, now = jobs[0], asyncio.get_running_loop().time
        assert first.slot is not None
        if first.is_at_most_once:
            await self.pace.wait_to_claim(first.slot, self.stop)
        begun_at = now()
        await asyncio.sleep(self.latency())
        claimed_at = now()
        self.pace.learn(claimed_at - begun_at)
        needless = [job for job in jobs if job.id in self.needless]
        for job in needless:
            assert job.slot is not None
            self.stream.reuse(job.slot)
        sent = [job for job in jobs if job.id not in self.needless]
        if first.is_at_most_once and not await self.pace.wait_claimed(first.slot, self.stop):
            sent, first.slot = [], None
            self.stream.offer(first)  # it was released
        slots = [job.slot for job in sent if job.slot is not None]
        while slots:
            if not first.is_at_most_once:
                count = await self.pace.wait(slots, self.stop, urgent=first.priority == "high")
                if not count:
                    break
            else:
                count = 1
            for job in sent[:count]:
                self.called_at[job.id] = now()
                self.waits[job.is_at_most_once].append(now() - claimed_at)
                self.calls.append(now())
            sent, slots = sent[count:], slots[count:]
        await asyncio.sleep(0.08)
        self.stream.release(jobs)


def busy(seed: int) -> Latency:
    """A busy machine: mostly 20 ms, at times 150 ms, and rarely more than a second."""
    chance = random.Random(seed)  # noqa: S311 - no secret

    def seconds() -> float:
        drawn = chance.random()
        longest = 1.5 if drawn < 0.002 else 0.15 if drawn < 0.05 else 0.02
        return chance.uniform(0.0, longest)

    return seconds


def steadily_slow(seed: int) -> Latency:
    """Every statement takes longer than a call may be late."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return lambda: chance.uniform(0.06, 0.09)


async def _run(
    latency: Latency, *, duration_s: float, some_needless: bool = False
) -> tuple[list[float], dict[bool, list[float]], SharedRow]:
    row, calls = SharedRow(), list[float]()
    waits: dict[bool, list[float]] = {False: [], True: []}
    workers = [Worker(row, latency, calls, waits) for _ in range(WORKERS)]
    for worker in workers:
        for number in range(int(duration_s * RATE)):
            lane: Priority = "bulk" if number % 2 else "normal"
            job = Job(uuid4(), lane, [], "email", 10, is_at_most_once=number % 5 == 0)
            if some_needless and number // 4 % 2 and not job.is_at_most_once:
                worker.needless.add(job.id)
            worker.stream.offer(job)
    await asyncio.sleep(duration_s)
    for worker in workers:
        worker.stop.set()
        await worker.stream.close()
    return [at for at in calls if at <= duration_s], waits, row


def most_within_a_second(times: Sequence[float]) -> int:
    ordered = sorted(times)
    return max(
        sum(start <= at < start + 1.0 for at in ordered[index : index + 90]) for index, start in enumerate(ordered)
    )


@pytest.mark.parametrize("make_latency", [busy, steadily_slow])
@pytest.mark.parametrize("seed", [1, 2])
class TestFourWorkers:
    def test_no_second_has_more_than_the_rate_and_one_and_the_mean_is_the_target(
        self, make_latency: Callable[[int], Latency], seed: int
    ) -> None:
        calls, waits, row = virtual_time.run(_run(make_latency(seed), duration_s=60.0))
        assert most_within_a_second(calls) <= RATE + 1
        assert len(calls) / 60.0 == pytest.approx(TARGET, rel=0.02)
        assert sum(waits[True]) < 0.02 * len(waits[True]), "at-most-once mails hardly wait once they are claimed"
        assert max(waits[False]) <= HORIZON_S + 0.7
        assert row.reservations < 3 * len(calls)


class TestReuse:
    def test_mean_is_the_target_when_many_mails_need_no_call(self) -> None:
        """They were sent by another worker, or cancelled, or their addresses are suppressed."""
        calls, _, _ = virtual_time.run(_run(busy(1), duration_s=60.0, some_needless=True))
        assert most_within_a_second(calls) <= RATE + 1
        assert len(calls) / 60.0 == pytest.approx(TARGET, rel=0.03)


class TestCodes:
    @pytest.mark.parametrize("rate", [RATE, 60.0], ids=["one by one", "together"])
    def test_code_takes_over_the_first_slot_of_a_backlog_in_its_worker(self, rate: float) -> None:
        async def send_codes() -> tuple[list[float], list[float]]:
            calls, now = list[float](), asyncio.get_running_loop().time
            worker = Worker(SharedRow(), busy(1), calls, {False: [], True: []}, rate=rate)
            worker.stream.offer(*(Job(uuid4(), "bulk", [], "email", 10) for _ in range(int(100 * rate))))
            await asyncio.sleep(5.0)
            offered_at = dict[UUID, float]()
            for _ in range(80):
                offered_at[code := uuid4()] = now()
                worker.stream.offer(Job(code, "high", [], "email", 10))
                await asyncio.sleep(0.53)
            worker.stop.set()
            await worker.stream.close()
            assert max(Counter(calls).values()) == max_together(rate)
            return calls, [worker.called_at[one] - at for one, at in offered_at.items()]

        calls, delays = virtual_time.run(send_codes())
        assert quantiles(delays, n=20)[-1] < HORIZON_S / 2, "behind the slots of the backlog it would be the horizon"
        assert most_within_a_second(calls) <= rate + 1


class TestWait:
    def test_call_starts_after_some_slots_when_the_process_always_stalls(self) -> None:
        async def wait() -> int:
            row = SharedRow()
            pace = Pace(Database("sqlite+aiosqlite://"), "email", lambda: RATE, factor=0.95)
            pace._commit = Reserver(row, lambda: 10.0)  # type: ignore[assignment]  # longer than any slot is ahead
            now = asyncio.get_running_loop().time()
            assert await pace.wait([Slot(now - 1.0, now - 1.0)], StopSignal())
            return row.reservations

        assert virtual_time.run(wait()) == MAX_MISSED
