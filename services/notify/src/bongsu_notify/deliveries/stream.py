"""Which waiting jobs start next: by lane, and no more at a time than there are slots."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from bongsu.broker import Delivery
from bongsu.contracts.queues import Priority
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.port import MAX_TOGETHER
from bongsu_notify.database_retry import Abandoned, DatabaseRetry
from bongsu_notify.deliveries.pace import Pace, Reservation, Slot

log = get_logger(__name__)

LARGE_BYTES: Final = 64 * 1024
"""A job with more content shares `large_budget_bytes` with others of its kind, and other jobs overtake it."""
_TURNS: Final = ("normal", "normal", "normal", "bulk", "large")
"""The order in which jobs that are not of the high lane start; a lane without any is passed over."""


@dataclass(slots=True, eq=False)
class Job:
    """A notification that waits to be claimed.

    :param wake_ups: its messages, which are settled together.
    :param provider: the name of the provider that sends it.
    :param size: of its content, in bytes.
    :param is_at_most_once: it must not wait once it is claimed: a claim that a crash leaves is an unknown outcome.
    :param slot: when its call may start, where the provider has a rate.
    :param owners: the owners of earlier claims of this job whose commits were not confirmed.
    :param recorded: how many of its wake-ups were there when it was last claimed or recorded.
    :param has_waited: its transaction did not end: the next one waits for no lock of a row.
    """

    id: UUID
    priority: Priority
    wake_ups: list[Delivery]
    provider: str
    size: int
    is_at_most_once: bool = False
    slot: Slot | None = None
    owners: set[UUID] = field(default_factory=set)
    recorded: int = 0
    has_waited: bool = False


class Stream:
    """Starts the jobs of one provider: high first, then normal and bulk in turn.

    Jobs of a lane that can start in the same moment start as a group, but alone those that are urgent, large, or must
    not be sent twice. A group takes at most a third of the slots that other lanes than high have: two calls that hang
    leave a third of them.

    :param run: delivers a group and releases its jobs; does not raise.
    :param pace: when jobs may start.
    :param retry: repeats work on the database while it is unavailable.
    :param slots: how many jobs run concurrently. A quarter of them is for the high lane only: jobs that hang in other
        lanes never take all.
    :param large_budget_bytes: how much content of large jobs is in memory at a time. One job may have more.
    """

    def __init__(  # noqa: PLR0913 - two limits beside its collaborators
        self,
        run: Callable[[Sequence[Job]], Awaitable[None]],
        *,
        pace: Pace,
        retry: DatabaseRetry,
        stop: StopSignal,
        slots: int,
        large_budget_bytes: int,
    ) -> None:
        self._run = run
        self._pace = pace
        self._retry = retry
        self._stop = stop
        self._pacing: asyncio.Task[None] | None = None
        self._urgent = asyncio.Event()
        """A job of the high lane came: it does not wait until slots for the others are free."""
        self._slots = slots
        self._shared_slots = slots - slots // 4
        self._most_together = max(1, min(MAX_TOGETHER, self._shared_slots // 3))
        self._large_budget_bytes = large_budget_bytes
        self._waiting: dict[str, deque[Job]] = {lane: deque() for lane in dict.fromkeys(("high", *_TURNS))}
        self._turn = 0
        self._running = 0
        self._shared_running = 0
        self._large_running_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def offer(self, *jobs: Job) -> None:
        """Add jobs, which start when slots are free."""
        for job in jobs:
            if job.priority == "high":
                self._urgent.set()
            if job.size <= LARGE_BYTES:
                self._waiting[job.priority].append(job)
            elif job.priority == "high":
                self._waiting["large"].appendleft(job)
            else:
                self._waiting["large"].append(job)
        self._advance()

    def release(self, jobs: Sequence[Job]) -> None:
        """Free the slots of jobs that have ended."""
        for job in jobs:
            self._count_running(job, -1)
        self._advance()

    def reuse(self, slot: Slot) -> None:
        """Start another job with the slot of one that needs no call, if its claim can end before the slot."""
        if self._pace.is_reachable(slot):
            self._start_next([slot])

    @property
    def waiting(self) -> int:
        """How many jobs wait for a slot."""
        return sum(len(lane) for lane in self._waiting.values())

    async def close(self) -> None:
        """Start no more jobs, and wait for those that run."""
        self._closed = True
        if self._pacing is not None:
            self._pacing.cancel()
        await self._pace.close()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _advance(self) -> None:
        if not self._pace.is_limited:
            while self._start_next():
                pass
        elif self._find_lane() is not None and self._pacing is None:
            self._pacing = asyncio.get_running_loop().create_task(self._start_paced())
            self._pacing.add_done_callback(self._end_pacing)

    async def _start_paced(self) -> None:
        """Reserve slots for the jobs that can start, and start what is then most urgent: a job waits for its slot."""
        now = asyncio.get_running_loop().time
        while (lane := self._find_lane()) is not None:
            self._urgent.clear()
            reserve = partial(self._pace.reserve, self._count_startable(), urgent=lane == "high")
            try:
                slots, retry_after_s = await self._retry.retry_while_unavailable(reserve)
            except Abandoned:
                return
            except Exception:
                log.exception("delivery.not_paced")
                slots, retry_after_s = Reservation((), 1.0)
            if slots:
                # An urgent job's slot may lie far ahead: the job is claimed no earlier than others are.
                is_urgent = self._find_lane() == "high"
                starts_at = self._pace.find_start(slots[0]) if is_urgent else slots[0].starts_at
                retry_after_s = starts_at - self._pace.horizon_s - now()
            if retry_after_s > 0:
                await self._sleep(retry_after_s)
            if self._stop.is_set():
                return
            while slots and (started := self._start_next([slot for slot in slots if slot == slots[0]])):
                slots = slots[started:]

    async def _sleep(self, seconds: float) -> None:
        """Sleep until an urgent job comes, at most `seconds`. `close` cancels it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._urgent.wait()

    def _end_pacing(self, _task: asyncio.Task[None]) -> None:
        self._pacing = None
        if not self._stop.is_set():
            self._advance()  # a job may have come since it found none

    def _count_startable(self) -> int:
        """How many jobs may start now; of the large ones, one."""
        high, large = len(self._waiting["high"]), len(self._waiting["large"])
        shared = min(self.waiting - high - large + bool(large), self._shared_slots - self._shared_running)
        return min(self._slots - self._running, high + max(shared, 0))

    def _start_next(self, slots: Sequence[Slot] = ()) -> int:
        """Start the jobs whose turn it is as a group, with these slots where jobs need some. Returns how many."""
        lane = self._find_lane()
        if lane is None:
            return 0
        if lane != "high":
            self._turn = (self._turn + 1) % len(_TURNS)
        jobs = self._take(lane, min(len(slots) or MAX_TOGETHER, self._most_together))
        for job, slot in zip(jobs, slots, strict=False):
            job.slot = slot
        for job in jobs:
            self._count_running(job, 1)
        task = asyncio.get_running_loop().create_task(self._run_group(jobs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return len(jobs)

    def _take(self, lane: str, most: int) -> Sequence[Job]:
        waiting = self._waiting[lane]
        jobs = [waiting.popleft()]
        if lane in ("high", "large") or jobs[0].is_at_most_once:
            return jobs
        most = min(most, self._slots - self._running, self._shared_slots - self._shared_running)
        while waiting and len(jobs) < most and not waiting[0].is_at_most_once:
            jobs.append(waiting.popleft())
        return jobs

    def _find_lane(self) -> str | None:
        """The lane whose first job starts next; None if no job can start."""
        if self._closed or self._running >= self._slots:
            return None
        if self._waiting["high"]:
            return "high"
        if self._shared_running >= self._shared_slots:
            return None
        for turn in range(self._turn, self._turn + len(_TURNS)):
            lane = _TURNS[turn % len(_TURNS)]
            if self._waiting[lane] and (lane != "large" or self._fits(self._waiting[lane][0])):
                return lane
        return None

    def _fits(self, job: Job) -> bool:
        return not self._large_running_bytes or self._large_running_bytes + job.size <= self._large_budget_bytes

    def _count_running(self, job: Job, change: int) -> None:
        is_large = job.size > LARGE_BYTES
        self._running += change
        self._shared_running += change * (job.priority != "high" or is_large)
        self._large_running_bytes += change * job.size * is_large

    async def _run_group(self, jobs: Sequence[Job]) -> None:
        await self._run(jobs)
