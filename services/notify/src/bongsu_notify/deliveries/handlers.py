"""The message edge of deliveries: each wake-up is claimed when a slot is free, sent, marked, and only then acked.

A wake-up's message id is the id of its outbox row, which lives until the notification needs no more wake-ups. Claims
and marks of deliveries that run at the same time share transactions.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.contracts.queues import DELIVER, Priority
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, GroupCommit, is_unavailable, uuid7
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.channel import Channel, Content
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Outgoing, Provider, TryLater
from bongsu_notify.channels.simulated import is_simulated
from bongsu_notify.database_retry import Abandoned, DatabaseRetry
from bongsu_notify.dead_letters import dead_letter
from bongsu_notify.deliveries.pace import Pace, is_late
from bongsu_notify.deliveries.service import Claims, Deliveries, MarkResult
from bongsu_notify.deliveries.statements import Peek
from bongsu_notify.deliveries.stream import Job, Stream
from bongsu_notify.notifications.claimed import ClaimedNotification

log = get_logger(__name__)

SEND_DEADLINE = 0.7
"""No other worker sends what this one may still be sending: the rest of the lease is for recording the outcome."""

_PRIORITIES: Mapping[str, Priority] = {
    queue: priority for lanes in DELIVER.values() for priority, queue in lanes.items()
}


@dataclass(frozen=True, slots=True)
class _Claim:
    """A claim of a job's notification. `row` is None if there was nothing to claim.

    :param claims: of its transaction, without contents: one that hangs would hold those of the others in memory.
    """

    job: Job
    claims: Claims
    row: ClaimedNotification | None
    content: Content | None
    deadline: float


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that is sent under a claim."""

    job: Job
    claims: Claims
    row: ClaimedNotification
    message: Outgoing
    deadline: float


@dataclass(frozen=True, slots=True)
class _Done:
    """The outcome of a claim, to be recorded."""

    job: Job
    claims: Claims
    row: ClaimedNotification
    outcome: Outcome


_Item = TypeVar("_Item", bound=Job | _Done)


class DeliveryHandler:
    """Handles wake-ups.

    :param channels: by name; they render.
    :param providers: by channel's name, and `simulated` for test mode and simulator addresses; they send.
    :param send_deadline: the fraction of a lease after which a call is no longer waited for.
    :param slots: deliveries that run concurrently, for each provider.
    :param rate_factor: how much of a provider's rate is used.
    :param batch: claims, and marks, that a transaction takes.
    :param large_budget_bytes: how much large content is in memory at a time.
    :param stop_grace_s: how long calls that run at the stop may take; their outcomes are still recorded.
    """

    def __init__(  # noqa: PLR0913 - the collaborators of the process
        self,
        *,
        database: Database,
        deliveries: Deliveries,
        channels: Mapping[str, Channel[Any]],
        providers: Mapping[str, Provider[Any]],
        vault: Vault,
        stop: StopSignal,
        database_retry: DatabaseRetry,
        slots: int = 64,
        rate_factor: float = 0.95,
        send_deadline: float = SEND_DEADLINE,
        batch: int = 50,
        large_budget_bytes: int = 4 * 1024 * 1024,
        stop_grace_s: float = 2.0,
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._channels = channels
        self._providers = providers
        self._vault = vault
        self._stop = stop
        self._database_retry = database_retry
        self._send_deadline = send_deadline
        self._stop_grace_s = stop_grace_s
        self._commit: GroupCommit[Job | _Done, _Claim | MarkResult] = GroupCommit(
            database, self._write, max_items=2 * batch
        )
        self._paces = {
            name: Pace(database, name, partial(getattr, provider, "max_rate"), factor=rate_factor)
            for name, provider in providers.items()
        }
        self._streams = {
            name: Stream(
                self._deliver,
                pace=pace,
                retry=database_retry,
                stop=stop,
                slots=slots,
                large_budget_bytes=large_budget_bytes,
            )
            for name, pace in self._paces.items()
        }
        self._jobs: dict[UUID, Job] = {}
        """Every job that waits or runs: a second wake-up of its notification joins it."""
        self._calls: set[asyncio.Timeout] = set()

    async def __call__(self, wake_ups: Sequence[Delivery]) -> None:
        """Take wake-ups in. They are settled when their deliveries end."""
        arrived = await self._read(wake_ups)
        for key in arrived.keys() & self._jobs.keys():
            self._jobs[key].wake_ups += arrived.pop(key)
        if not arrived or self._stop.is_set():
            return  # left unacknowledged at the stop: the broker redelivers them to another worker
        peeks = await self._database_retry.retry_while_unavailable(partial(self._deliveries.peek, [*arrived]))
        offered: dict[str, list[Job]] = {}
        for key, copies in arrived.items():
            if (known := self._jobs.get(key)) is not None:  # it came a second time meanwhile
                known.wake_ups += copies
                continue
            peek = peeks.get(key)
            provider = self._choose_provider(peek)
            priority = _PRIORITIES.get(copies[0].queue, "normal")
            job = self._jobs[key] = Job(key, priority, copies, provider, peek.size if peek else 0)
            job.is_at_most_once = peek is not None and peek.guarantee == "at-most-once"
            offered.setdefault(provider, []).append(job)
        for provider, jobs in offered.items():
            self._streams[provider].offer(*jobs)

    @property
    def waiting(self) -> int:
        """How many jobs wait for a slot."""
        return sum(stream.waiting for stream in self._streams.values())

    async def close(self) -> None:
        """Claim no more, and record what runs. Calls that take longer than `stop_grace_s` end with unknown outcomes."""
        timer = asyncio.get_running_loop().call_later(self._stop_grace_s, self._end_calls)
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))
        timer.cancel()
        await self._commit.close()

    def _end_calls(self) -> None:
        for call in self._calls:
            if call.expired():  # it is ending, and takes no other time
                continue
            call.reschedule(asyncio.get_running_loop().time())

    def _choose_provider(self, peek: Peek | None) -> str:
        if peek is None or peek.mode == "test" or is_simulated(peek.recipient) or peek.channel not in self._providers:
            return "simulated"  # which sends none of an unknown channel: it is not rendered
        return peek.channel

    async def _read(self, wake_ups: Sequence[Delivery]) -> dict[UUID, list[Delivery]]:
        """Wake-ups by notification. Malformed ones are dead-lettered."""
        jobs: dict[UUID, list[Delivery]] = {}
        for delivery in wake_ups:
            try:
                UUID(delivery.message.id)
                wakeup = DeliveryWakeup.model_validate(delivery.message.body)
            except ValueError as error:
                log.error("wakeup.malformed", message_id=delivery.message.id, error=type(error).__name__)
                await self._database_retry.retry_while_unavailable(partial(dead_letter, self._database, delivery))
            else:
                jobs.setdefault(wakeup.notification_id, []).append(delivery)
        return jobs

    async def _deliver(self, jobs: Sequence[Job]) -> None:
        """Claim jobs that start together, send their messages, and record the outcomes."""
        if self._stop.is_set() or not await self._wait_to_claim(jobs[0]):
            await self._end(jobs, is_recorded=None)
            return
        now = asyncio.get_running_loop().time
        begun_at = now()
        written, held_up = await self._record(jobs, "delivery.not_claimed")
        self._paces[jobs[0].provider].learn(now() - begun_at)
        claims = [claim for _, claim in written if isinstance(claim, _Claim)]
        await asyncio.gather(self._send_claimed(claims), *([self._deliver(held_up)] if held_up else []))

    async def _send_claimed(self, claims: Sequence[_Claim]) -> None:
        """Send the messages of claims that were written, and record the outcomes."""
        needless = [claim.job for claim in claims if claim.row is None]
        self._reuse_slots(needless)
        await self._end(needless, is_recorded=True)
        ready: list[_Ready] = []
        failed: list[_Done] = []
        for one in claims:
            if one.row is not None and one.content is not None:
                made = self._render(one.row, one.content)
                if isinstance(made, Outgoing):
                    ready.append(_Ready(one.job, one.claims, one.row, made, one.deadline))
                else:
                    failed.append(_Done(one.job, one.claims, one.row, made))
        self._reuse_slots([one.job for one in failed])
        await asyncio.gather(self._mark(failed), *map(self._send_in_turn, self._split(ready)))

    async def _wait_to_claim(self, job: Job) -> bool:
        if job.slot is None or not job.is_at_most_once:
            return True
        return await self._paces[job.provider].wait_to_claim(job.slot, self._stop)

    def _reuse_slots(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.slot is not None:
                self._streams[job.provider].reuse(job.slot)

    async def _slow_down(self, provider: str) -> None:
        try:
            await self._paces[provider].slow_down()
        except Exception as error:  # noqa: BLE001 - the rate matters less than the outcome, which is recorded next
            log.warning("delivery.not_slowed", error=type(error).__name__)

    async def _end(self, jobs: Sequence[Job], *, is_recorded: bool | None) -> None:
        """Free the slots of jobs, and settle their wake-ups. With None they are left: the broker redelivers them."""
        if not jobs:
            return
        try:
            for job in jobs:
                del self._jobs[job.id]
                if is_recorded is not None:
                    await settle(job, is_done=is_recorded)
        finally:
            self._streams[jobs[0].provider].release(jobs)

    async def _record(
        self, items: Sequence[_Item], event: str
    ) -> tuple[Sequence[tuple[Job, _Claim | MarkResult]], Sequence[_Item]]:
        """Write items. Returns the results by their jobs, and the items that the database was not available for.

        It was for others of them, which wait no longer: a row is locked, for example. The jobs of those that cannot be
        written end.
        """
        waiting = [*items]
        written: list[tuple[Job, _Claim | MarkResult]] = []
        refused: list[Job] = []

        async def write() -> None:
            away: Exception | None = None
            tried = [*waiting]
            results = await self._commit.submit_all(tried)
            waiting.clear()
            for item, result in zip(tried, results, strict=True):
                job = item if isinstance(item, Job) else item.job
                if not isinstance(result, Exception):
                    written.append((job, result))
                elif is_unavailable(result):
                    away = result
                    waiting.append(item)
                else:
                    log.error(event, notification_id=str(job.id), exc_info=result)
                    refused.append(job)
            if away is not None and len(waiting) == len(tried):
                raise away

        try:
            # A sent mail without its mark would be sent again: retried, unacknowledged, until the database answers.
            await self._database_retry.retry_while_unavailable(write, is_bounded=True)
        except Abandoned:
            await self._end([item if isinstance(item, Job) else item.job for item in waiting], is_recorded=None)
            waiting.clear()
        except Exception:
            log.exception(event, count=len(waiting))
            refused += [item if isinstance(item, Job) else item.job for item in waiting]
            waiting.clear()
        await self._end(refused, is_recorded=False)
        return written, waiting

    async def _write(self, items: Sequence[Job | _Done]) -> Sequence[_Claim | MarkResult]:
        """Record what was sent, and claim what is to be sent, in one transaction."""
        done = [item for item in items if isinstance(item, _Done)]
        jobs = [item for item in items if isinstance(item, Job)]
        marked = await self._write_marks(done) if done else None
        claimed = iter(await self._write_claims(jobs) if jobs else ())
        return [next(claimed) if isinstance(item, Job) else marked or MarkResult(frozenset(), {}) for item in items]

    async def _write_claims(self, jobs: Sequence[Job]) -> Sequence[_Claim]:
        deadline = asyncio.get_running_loop().time() + self._deliveries.lease_s * self._send_deadline
        owner = uuid7()
        earlier = {one for job in jobs for one in job.owners}
        for job in jobs:
            job.owners.add(owner)
            job.recorded = len(job.wake_ups)
        claims = await self._deliveries.claim([job.id for job in jobs], owner=owner, earlier=earlier)
        await update_outbox(jobs, claims.settled, claims.later)
        rows = {row.id: row for row in claims.claimed}
        contents, claims = claims.contents, replace(claims, contents={})
        return [_Claim(job, claims, rows.get(job.id), contents.get(job.id), deadline) for job in jobs]

    async def _write_marks(self, done: Sequence[_Done]) -> MarkResult:
        events = {one.job.id: one.claims.sending_events[one.job.id] for one in done}
        outcomes = {one.job.id: one.outcome for one in done}
        claims = Claims([one.row for one in done], {}, events, frozenset(), {})
        marked = await self._deliveries.mark(claims, outcomes)
        await update_outbox([one.job for one in done], marked.settled, marked.later)
        return marked

    def _split(self, ready: Sequence[_Ready]) -> Sequence[Sequence[_Ready]]:
        """Split messages into calls."""
        if not ready:
            return []
        name = ready[0].job.provider
        by_id = {one.row.id: one for one in ready}
        try:
            calls = self._providers[name].split([one.message for one in ready])
            return [[by_id[message.notification_id] for message in call] for call in calls]
        except Exception:
            log.exception("provider.failed", provider=name, notification_id=str(ready[0].row.id))
            return [[one] for one in ready]

    async def _send_in_turn(self, call: Sequence[_Ready]) -> None:
        """Send the messages of a call when their slots come, and record the outcomes."""
        count = await self._wait_for_slots([one.job for one in call])
        if 0 < count < len(call):  # an urgent message has taken over a slot
            await asyncio.gather(self._send_in_turn(call[:count]), self._send_in_turn(call[count:]))
            return
        deadline = min(one.deadline for one in call)
        if count and asyncio.get_running_loop().time() < deadline:
            outcomes = await self._send(call, deadline)
        else:
            outcomes = [TryLater("not_started", "The worker stopped or was slow", delay_s=1.0, spends_attempt=False)]
            outcomes *= len(call)
        if any(isinstance(outcome, TryLater) and outcome.is_throttled for outcome in outcomes):
            await self._slow_down(call[0].job.provider)
        await self._mark(
            [_Done(one.job, one.claims, one.row, outcome) for one, outcome in zip(call, outcomes, strict=True)]
        )

    async def _send(self, call: Sequence[_Ready], deadline: float) -> list[Outcome]:
        name = call[0].job.provider
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                self._calls.add(limit)
                outcomes = await self._providers[name].send([one.message for one in call])
                return [outcome for _, outcome in zip(call, outcomes, strict=True)]
        except TimeoutError:
            outcome = OutcomeUnknown("The provider did not answer in time")
        except Exception as error:
            log.exception("provider.failed", provider=name, notification_id=str(call[0].row.id))
            outcome = OutcomeUnknown(type(error).__name__)
        finally:
            self._calls.discard(limit)
        return [outcome] * len(call)

    async def _wait_for_slots(self, jobs: Sequence[Job]) -> int:
        """Wait until a call may start. Returns how many of its messages may, and 0 if none may any more."""
        slots = [job.slot for job in jobs if job.slot is not None]
        if self._stop.is_set() or not slots:
            return 0 if self._stop.is_set() else len(jobs)
        pace = self._paces[jobs[0].provider]
        if jobs[0].is_at_most_once:
            return int(await pace.wait_claimed(slots[0], self._stop))  # it waited before its claim
        wait = partial(pace.wait, slots, self._stop, urgent=jobs[0].priority == "high")
        try:
            # Without the database, if no slot is missed.
            return await (
                self._database_retry.retry_while_unavailable(wait, is_bounded=True) if is_late(slots[0]) else wait()
            )
        except Abandoned:
            return 0
        except Exception:
            log.exception("delivery.not_paced")
            return 0
        finally:
            for job, slot in zip(jobs, slots, strict=True):
                job.slot = slot

    async def _mark(self, done: Sequence[_Done]) -> None:
        """Record outcomes."""
        outcomes = {one.job.id: one for one in done}
        recorded: list[Job] = []
        written, held_up = await self._record(done, "delivery.not_marked")
        for job, marked in written:
            assert isinstance(marked, MarkResult)  # noqa: S101 - as `_write` returns it
            recorded.append(job)
            log.info(
                "delivery.attempted",
                notification_id=str(job.id),
                attempt=outcomes[job.id].row.attempt,
                outcome=type(outcomes[job.id].outcome).__name__,
                again_in_s=round(marked.later[job.id], 1) if job.id in marked.later else None,
            )
        await self._end(recorded, is_recorded=True)
        if held_up:
            await self._mark(held_up)

    def _render(self, row: ClaimedNotification, content: Content) -> Outgoing | Outcome:
        """The message, or the outcome of a notification that cannot be rendered."""
        channel = self._channels.get(row.channel)
        if channel is None:
            # During an upgrade a newer worker may have the channel. The attempts that it spends end it where none has.
            return TryLater("channel_unknown", f"This worker has no channel {row.channel!r}")
        try:
            return channel.render(row, content, self._vault)
        except Exception as error:
            log.exception("delivery.not_rendered", notification_id=str(row.id))
            return TryLater("render_failed", type(error).__name__)


async def settle(job: Job, *, is_done: bool) -> None:
    """Acknowledge a job's wake-ups, or return them to their queue: also those that came after it was recorded."""
    for at, delivery in enumerate(job.wake_ups):
        if delivery.settled:
            continue  # a copy that came in a batch that failed: the consumer has returned it
        await (delivery.ack() if is_done and at < job.recorded else delivery.reject(requeue=True))


async def update_outbox(jobs: Sequence[Job], settled: frozenset[UUID], later: Mapping[UUID, float]) -> None:
    """Delete the wake-ups of ended notifications; postpone those of waiting ones (seconds)."""
    rows = {job.id: [UUID(delivery.message.id) for delivery in job.wake_ups] for job in jobs}
    for job in jobs:
        if job.id in settled or job.id in later:
            job.recorded = len(job.wake_ups)
    await outbox.settle([row for key in settled & rows.keys() for row in rows[key]])
    await outbox.postpone({row: later[key] for key in later.keys() & rows.keys() for row in rows[key]})
