"""Claims deliveries and records their outcomes: those that are ready at the same time share a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from bongsu import outbox
from bongsu.contracts.queues import LANES
from bongsu.mixins import Database, GroupCommit, is_unavailable, uuid7
from bongsu.runtime.logging import get_logger
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.port import Outcome, Outgoing, TryLater
from bongsu_notify.database_retry import Abandoned, DatabaseRetry
from bongsu_notify.deliveries import statements
from bongsu_notify.deliveries.service import Claims, Deliveries
from bongsu_notify.deliveries.stream import Job
from bongsu_notify.notifications.claimed import ClaimedNotification

log = get_logger(__name__)

SEND_DEADLINE = 0.7
"""No other worker sends what this one may still be sending: the rest of the lease is for recording the outcome."""


_NOT_STARTED = TryLater("not_started", "The worker stopped or was slow", delay_s=1.0, spends_attempt=False)


@dataclass(slots=True, eq=False)
class Claim:
    """A claimed notification, and its message and outcome as far as they are known.

    :param sending: the timeline entry of this claim.
    :param deadline: when its call is no longer waited for, by the event loop's clock.
    """

    job: Job
    row: ClaimedNotification
    content: Content
    sending: UUID
    deadline: float
    message: Outgoing | None = None
    outcome: Outcome = _NOT_STARTED


class RowLocked(TimeoutError):
    """Another transaction has locked the notification's row for longer than a second."""


_Item = TypeVar("_Item", bound=Job | Claim)
_Result = Claim | float | None
"""A job's claim, if there was anything to claim; the seconds after which a claim's notification is woken again."""


class Recorder:
    """Claims jobs, and records the outcomes of claims.

    :param end: ends jobs that are recorded (True) or cannot be (False), or whose process stops (None).
    :param send_deadline: the fraction of a lease after which a call is no longer waited for.
    """

    def __init__(  # noqa: PLR0913 - limits beside its collaborators
        self,
        database: Database,
        deliveries: Deliveries,
        database_retry: DatabaseRetry,
        end: Callable[[Sequence[Job], bool | None], Awaitable[None]],
        *,
        send_deadline: float,
        max_items: int,
    ) -> None:
        self._deliveries = deliveries
        self._database_retry = database_retry
        self._end = end
        self._send_deadline = send_deadline
        self._commit: GroupCommit[Job | Claim, _Result] = GroupCommit(database, self._write, max_items=max_items)
        self.close = self._commit.close

    async def claim(self, jobs: Sequence[Job]) -> tuple[Sequence[Claim], Sequence[Job], Sequence[Job]]:
        """Claim jobs. Returns the claims, the jobs without anything to claim, and those that are held up."""
        written, held_up = await self._submit(jobs, "delivery.not_claimed")
        claims = [claim for _, claim in written if isinstance(claim, Claim)]
        return claims, [job for job, claim in written if claim is None], held_up

    async def record(self, claims: Sequence[Claim]) -> None:
        """Record the outcomes of claims, and end their jobs."""
        written, held_up = await self._submit(claims, "delivery.not_marked")
        for claim, again_in_s in written:
            log.info(
                "delivery.attempted",
                notification_id=str(claim.job.id),
                attempt=claim.row.attempt,
                outcome=type(claim.outcome).__name__,
                again_in_s=round(again_in_s, 1) if isinstance(again_in_s, float) else None,
            )
        await self._end([claim.job for claim, _ in written], True)
        if held_up:
            await self.record(held_up)

    async def _submit(
        self, items: Sequence[_Item], event: str
    ) -> tuple[Sequence[tuple[_Item, _Result]], Sequence[_Item]]:
        """Write items. Returns the results, and the items that are held up: by a row that is locked, for example."""
        results: list[_Result | Exception] = []

        async def write() -> None:
            results[:] = await self._commit.submit_all(items)
            away = [one for one in results if isinstance(one, Exception) and is_unavailable(one)]
            if away and len(away) == len(items):
                raise away[0]

        try:
            # A sent mail without its mark would be sent again: retried, unacknowledged, until the database answers.
            await self._database_retry.retry_while_unavailable(write, is_bounded=True)
        except Abandoned:
            await self._end([_job(item) for item in items], None)
            return [], []
        failed = [(item, error) for item, error in zip(items, results, strict=True) if isinstance(error, Exception)]
        refused = [(_job(item), error) for item, error in failed if not is_unavailable(error)]
        for job, error in refused:
            log.error(event, notification_id=str(job.id), exc_info=error)
        await self._end([job for job, _ in refused], False)
        written = [(item, one) for item, one in zip(items, results, strict=True) if not isinstance(one, Exception)]
        return written, [item for item, error in failed if is_unavailable(error)]

    async def _write(self, items: Sequence[Job | Claim]) -> Sequence[_Result | Exception]:
        """Record what was sent, and claim what is to be sent, in one transaction."""
        results: dict[UUID, _Result | Exception] = {}
        # Before anything is awaited: this try must not take over the claim of a later one, which may end first.
        owner = uuid7()
        earlier = {one for item in items if isinstance(item, Job) for one in item.owners}
        for item in items:
            if isinstance(item, Job):
                item.owners.add(owner)
        if any(_job(item).has_waited for item in items):
            results |= {key: RowLocked() for key in await statements.lock([_job(item).id for item in items])}
        for item in items:
            _job(item).has_waited = True
        claims = [item for item in items if isinstance(item, Claim) and item.job.id not in results]
        jobs = {item.id: item for item in items if isinstance(item, Job) and item.id not in results}
        results |= await self._mark(claims) if claims else {}
        results |= await self._claim(jobs, owner, earlier) if jobs else {}
        for item in items:
            _job(item).has_waited = isinstance(results.get(_job(item).id), RowLocked)
        return [results.get(_job(item).id) for item in items]

    async def _claim(self, jobs: Mapping[UUID, Job], owner: UUID, earlier: Collection[UUID]) -> Mapping[UUID, Claim]:
        deadline = asyncio.get_running_loop().time() + self._deliveries.lease_s * self._send_deadline
        for job in jobs.values():
            job.recorded = len(job.wake_ups)
        found = await self._deliveries.claim([*jobs], owner=owner, earlier=earlier)
        await _update_outbox(jobs, found.settled, found.later)
        return {
            row.id: Claim(jobs[row.id], row, found.contents[row.id], found.sending_events[row.id], deadline)
            for row in found.claimed
        }

    async def _mark(self, claims: Sequence[Claim]) -> Mapping[UUID, float]:
        sending = {claim.row.id: claim.sending for claim in claims}
        marked = await self._deliveries.mark(
            Claims([claim.row for claim in claims], {}, sending, frozenset(), {}),
            {claim.row.id: claim.outcome for claim in claims},
        )
        await _update_outbox({claim.row.id: claim.job for claim in claims}, marked.settled, marked.later)
        return marked.later


def _job(item: Job | Claim) -> Job:
    return item if isinstance(item, Job) else item.job


async def _update_outbox(jobs: Mapping[UUID, Job], settled: frozenset[UUID], later: Mapping[UUID, float]) -> None:
    """Delete the wake-ups of ended notifications; postpone those of waiting ones (seconds)."""
    rows = {key: [UUID(delivery.message.id) for delivery in job.wake_ups] for key, job in jobs.items()}
    for key in jobs.keys() & (settled | later.keys()):
        jobs[key].recorded = len(jobs[key].wake_ups)
    await outbox.settle([row for key in settled & rows.keys() for row in rows[key]])
    waiting = {key: rows[key] for key in later.keys() & rows.keys()}
    delays_s = {row: later[key] for key, ones in waiting.items() for row in ones}
    if await outbox.postpone(delays_s) < len(delays_s):
        # A dead letter that was moved back may have no row. Without one nothing would wake its notification again.
        missing = await outbox.find_missing([*delays_s])
        for key in [key for key, ones in waiting.items() if missing.issuperset(ones)]:
            first = jobs[key].wake_ups[0]
            lane = LANES[jobs[key].priority]
            await outbox.append(first.queue, first.message.body, lane=lane, delay_s=later[key], id=rows[key][0])
