"""The message edge of deliveries: each wake-up is claimed when a slot is free, sent, marked, and only then acked.

A wake-up's message id is the id of its outbox row, which lives until the notification needs no more wake-ups. Claims
and marks of deliveries that run at the same time share transactions.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.contracts.queues import DELIVER, Priority
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, GroupCommit, uuid7
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
from bongsu_notify.notifications.models import Notification

log = get_logger(__name__)

SEND_DEADLINE = 0.7
"""No other worker sends what this one may still be sending: the rest of the lease is for recording the outcome."""

_PRIORITIES: Mapping[str, Priority] = {
    queue: priority for lanes in DELIVER.values() for priority, queue in lanes.items()
}


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A claim of one notification, and the provider's outcome once it has answered. `row` is None without a claim."""

    job: Job
    claims: Claims
    row: Notification | None
    started_at: float
    outcome: Outcome | None = None


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
        self._commit: GroupCommit[Job | _Claimed, _Claimed | MarkResult] = GroupCommit(
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
        for key, copies in arrived.items():
            if (known := self._jobs.get(key)) is not None:  # it came a second time meanwhile
                known.wake_ups += copies
                continue
            peek = peeks.get(key)
            provider = self._choose_provider(peek)
            priority = _PRIORITIES.get(copies[0].queue, "normal")
            job = self._jobs[key] = Job(key, priority, copies, provider, peek.size if peek else 0)
            job.is_at_most_once = peek is not None and peek.guarantee == "at-most-once"
            self._streams[provider].offer(job)

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

    async def _deliver(self, job: Job) -> None:
        try:
            if self._stop.is_set() or not await self._wait_to_claim(job):
                return  # left unacknowledged, as below
            is_recorded = await self._deliver_once(job)
        except Abandoned:
            return  # left unacknowledged: the broker redelivers it
        finally:
            del self._jobs[job.id]
        await settle(job, is_done=is_recorded)

    async def _deliver_once(self, job: Job) -> bool:
        """Claim, send and mark. Returns whether the database has recorded all of it."""
        retry = self._database_retry.retry_while_unavailable
        now = asyncio.get_running_loop().time
        try:
            begun_at = now()
            claimed = await retry(partial(self._claim, job), is_bounded=True)
            self._paces[job.provider].learn(now() - begun_at)
        except Abandoned:
            raise
        except Exception:
            log.exception("delivery.not_claimed", notification_id=str(job.id))
            return False
        if claimed.row is None:
            self._reuse_slot(job)
            return True
        outcome = await self._send(claimed, claimed.row)
        if isinstance(outcome, TryLater) and outcome.is_throttled:
            await self._slow_down(job)
        sent = _Claimed(job, claimed.claims, claimed.row, claimed.started_at, outcome)
        try:
            # A sent mail without its mark would be sent again: retried, unacknowledged, until the database answers.
            marked = await retry(partial(self._mark, sent), is_bounded=True)
        except Abandoned:
            raise
        except Exception:
            log.exception("delivery.not_marked", notification_id=str(job.id))
            return False
        log.info(
            "delivery.attempted",
            notification_id=str(job.id),
            attempt=claimed.row.attempt,
            outcome=type(outcome).__name__,
            again_in_s=round(marked.later[job.id], 1) if job.id in marked.later else None,
        )
        return True

    async def _wait_to_claim(self, job: Job) -> bool:
        if job.slot is None or not job.is_at_most_once:
            return True
        return await self._paces[job.provider].wait_to_claim(job.slot, self._stop)

    def _reuse_slot(self, job: Job) -> None:
        if job.slot is not None:
            self._streams[job.provider].reuse(job.slot)

    async def _slow_down(self, job: Job) -> None:
        try:
            await self._paces[job.provider].slow_down()
        except Exception as error:  # noqa: BLE001 - the rate matters less than the outcome, which is recorded next
            log.warning("delivery.not_slowed", error=type(error).__name__)

    async def _claim(self, job: Job) -> _Claimed:
        claimed = await self._commit.submit(job)
        assert isinstance(claimed, _Claimed)  # noqa: S101 - as `_write` returns it
        return claimed

    async def _mark(self, sent: _Claimed) -> MarkResult:
        marked = await self._commit.submit(sent)
        assert isinstance(marked, MarkResult)  # noqa: S101 - as `_write` returns it
        return marked

    async def _write(self, items: Sequence[Job | _Claimed]) -> Sequence[_Claimed | MarkResult]:
        """Record what was sent, and claim what is to be sent, in one transaction."""
        sent = [item for item in items if isinstance(item, _Claimed)]
        jobs = [item for item in items if isinstance(item, Job)]
        marked = await self._write_marks(sent) if sent else None
        claimed = iter(await self._write_claims(jobs) if jobs else ())
        return [next(claimed) if isinstance(item, Job) else marked or MarkResult(frozenset(), {}) for item in items]

    async def _write_claims(self, jobs: Sequence[Job]) -> Sequence[_Claimed]:
        started_at = asyncio.get_running_loop().time()
        owner = uuid7()
        earlier = {one for job in jobs for one in job.owners}
        for job in jobs:
            job.owners.add(owner)
        claims = await self._deliveries.claim([job.id for job in jobs], owner=owner, earlier=earlier)
        await update_outbox(jobs, claims.settled, claims.later)
        rows = {row.id: row for row in claims.claimed}
        return [_Claimed(job, claims, rows.get(job.id), started_at) for job in jobs]

    async def _write_marks(self, sent: Sequence[_Claimed]) -> MarkResult:
        rows = [one.row for one in sent if one.row is not None]
        events = {one.job.id: one.claims.sending_events[one.job.id] for one in sent}
        outcomes = {one.job.id: one.outcome for one in sent if one.outcome is not None}
        marked = await self._deliveries.mark(Claims(rows, {}, events, frozenset(), {}), outcomes)
        await update_outbox([one.job for one in sent], marked.settled, marked.later)
        return marked

    async def _send(self, claimed: _Claimed, row: Notification) -> Outcome:
        made = self._render(row, claimed.claims.contents[row.id])
        if not isinstance(made, Outgoing):
            self._reuse_slot(claimed.job)
            return made
        name, deadline = claimed.job.provider, claimed.started_at + self._deliveries.lease_s * self._send_deadline
        if not await self._wait_for_slot(claimed.job) or asyncio.get_running_loop().time() >= deadline:
            return TryLater("not_started", "The worker stopped or was slow", delay_s=1.0, spends_attempt=False)
        call = asyncio.timeout_at(deadline)
        try:
            async with call:
                self._calls.add(call)
                return await self._providers[name].send(made)
        except TimeoutError:
            return OutcomeUnknown("The provider did not answer in time")
        except Exception as error:
            log.exception("provider.failed", provider=name, notification_id=str(row.id))
            return OutcomeUnknown(type(error).__name__)
        finally:
            self._calls.discard(call)

    async def _wait_for_slot(self, job: Job) -> bool:
        """Wait until the call may start. Returns False if it may not."""
        if job.slot is None or self._stop.is_set():
            return not self._stop.is_set()
        if job.is_at_most_once:
            return await self._paces[job.provider].wait_claimed(job.slot, self._stop)  # it waited before its claim
        try:
            wait = partial(self._paces[job.provider].wait, job.slot, self._stop, urgent=job.priority == "high")
            if not is_late(job.slot):
                return await wait()  # without the database
            return await self._database_retry.retry_while_unavailable(wait, is_bounded=True)
        except Abandoned:
            return False
        except Exception:
            log.exception("delivery.not_paced")
            return False

    def _render(self, row: Notification, content: Content) -> Outgoing | Outcome:
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
    """Acknowledge a job's wake-ups, or return them to their queue."""
    for delivery in job.wake_ups:
        await (delivery.ack() if is_done else delivery.reject(requeue=True))


async def update_outbox(jobs: Iterable[Job], settled: frozenset[UUID], later: Mapping[UUID, float]) -> None:
    """Delete the wake-ups of ended notifications; postpone those of waiting ones (seconds)."""
    rows = {job.id: [UUID(delivery.message.id) for delivery in job.wake_ups] for job in jobs}
    await outbox.settle([row for key in settled & rows.keys() for row in rows[key]])
    await outbox.postpone({row: later[key] for key in later.keys() & rows.keys() for row in rows[key]})
