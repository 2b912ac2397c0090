"""Which waiting jobs start next: by lane, and no more at a time than there are slots."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from bongsu.broker import Delivery
from bongsu.contracts.queues import Priority

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
    :param owners: the owners of earlier claims of this job whose commits were not confirmed.
    """

    id: UUID
    priority: Priority
    wake_ups: list[Delivery]
    provider: str
    size: int
    owners: set[UUID] = field(default_factory=set)


class Stream:
    """Starts the jobs of one provider: high first, then normal and bulk in turn.

    :param run: delivers a job; does not raise.
    :param slots: how many jobs run concurrently. A quarter of them is for the high lane only: jobs that hang in other
        lanes never take all.
    :param large_budget_bytes: how much content of large jobs is in memory at a time. One job may have more.
    """

    def __init__(self, run: Callable[[Job], Awaitable[None]], *, slots: int, large_budget_bytes: int) -> None:
        self._run = run
        self._slots = slots
        self._shared_slots = slots - slots // 4
        self._large_budget_bytes = large_budget_bytes
        self._waiting: dict[str, deque[Job]] = {lane: deque() for lane in dict.fromkeys(("high", *_TURNS))}
        self._turn = 0
        self._running: set[asyncio.Task[None]] = set()
        self._shared_running = 0
        self._large_running_bytes = 0
        self._closed = False

    def offer(self, job: Job) -> None:
        """Add a job, which starts when a slot is free."""
        if job.size <= LARGE_BYTES:
            self._waiting[job.priority].append(job)
        elif job.priority == "high":
            self._waiting["large"].appendleft(job)
        else:
            self._waiting["large"].append(job)
        self._advance()

    @property
    def waiting(self) -> int:
        """How many jobs wait for a slot."""
        return sum(len(lane) for lane in self._waiting.values())

    async def close(self) -> None:
        """Start no more jobs, and wait for those that run."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)

    def _advance(self) -> None:
        while (job := self._take()) is not None:
            self._start(job)

    def _take(self) -> Job | None:
        if self._closed or len(self._running) >= self._slots:
            return None
        if self._waiting["high"]:
            return self._waiting["high"].popleft()
        if self._shared_running >= self._shared_slots:
            return None
        for turn in range(self._turn, self._turn + len(_TURNS)):
            lane = _TURNS[turn % len(_TURNS)]
            if self._waiting[lane] and (lane != "large" or self._fits(self._waiting[lane][0])):
                self._turn = (turn + 1) % len(_TURNS)
                return self._waiting[lane].popleft()
        return None

    def _fits(self, job: Job) -> bool:
        return not self._large_running_bytes or self._large_running_bytes + job.size <= self._large_budget_bytes

    def _start(self, job: Job) -> None:
        is_shared = job.priority != "high" or job.size > LARGE_BYTES
        large_bytes = job.size if job.size > LARGE_BYTES else 0
        self._shared_running += is_shared
        self._large_running_bytes += large_bytes

        def end(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            self._shared_running -= is_shared
            self._large_running_bytes -= large_bytes
            self._advance()

        task = asyncio.get_running_loop().create_task(self._run_job(job))
        self._running.add(task)
        task.add_done_callback(end)

    async def _run_job(self, job: Job) -> None:
        await self._run(job)
