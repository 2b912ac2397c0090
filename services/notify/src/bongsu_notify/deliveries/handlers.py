"""The message edge of deliveries: wake-ups arrive in batches; each is claimed, sent, marked, and only then acked.

A wake-up's message id is the id of its outbox row, which lives until the notification needs no more wake-ups.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.channel import Channel, Content
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Outgoing, Provider, TryLater
from bongsu_notify.channels.simulated import is_simulated
from bongsu_notify.database_retry import Abandoned, DatabaseRetry
from bongsu_notify.dead_letters import dead_letter
from bongsu_notify.deliveries.service import Claims, Deliveries, MarkResult
from bongsu_notify.notifications.models import Notification

log = get_logger(__name__)

SEND_DEADLINE = 0.7
"""The fraction of a lease after which a provider starts nothing more and returns: no other worker sends what this one
still holds."""
ABANDON_DEADLINE = 0.9
"""The fraction of a lease after which a provider that ignores its deadline is no longer waited for."""

Jobs = Mapping[UUID, Sequence[Delivery]]
"""Wake-ups by notification."""


class DeliveryHandler:
    """Handles batches of wake-ups.

    :param channels: by name; they render.
    :param providers: by channel's name, and `simulated` for test mode and simulator addresses; they send.
    :param part_bytes: how much content of a batch is in memory at a time.
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
        send_deadline: float = SEND_DEADLINE,
        part_bytes: int = 4 * 1024 * 1024,
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
        self._part_bytes = part_bytes
        self._stop_grace_s = stop_grace_s

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Take each delivery of a batch as far as it can go now."""
        jobs = await self._read(deliveries)
        if not jobs:
            return
        sizes = await self._database_retry.retry_while_unavailable(partial(self._deliveries.measure, [*jobs]))
        for part in self._split(jobs, sizes):
            if self._stop.is_set():
                return  # left unacknowledged: the broker redelivers it to another worker
            await self._handle(part)

    async def _read(self, deliveries: Sequence[Delivery]) -> dict[UUID, list[Delivery]]:
        """Wake-ups by notification. Malformed ones are dead-lettered."""
        jobs: dict[UUID, list[Delivery]] = {}
        for delivery in deliveries:
            try:
                UUID(delivery.message.id)
                wakeup = DeliveryWakeup.model_validate(delivery.message.body)
            except ValueError as error:
                log.error("wakeup.malformed", message_id=delivery.message.id, error=type(error).__name__)
                await self._database_retry.retry_while_unavailable(partial(dead_letter, self._database, delivery))
            else:
                jobs.setdefault(wakeup.notification_id, []).append(delivery)
        return jobs

    def _split(self, jobs: Jobs, sizes: Mapping[UUID, int]) -> Iterator[Jobs]:
        part: dict[UUID, Sequence[Delivery]] = {}
        total = 0
        for key, copies in jobs.items():
            size = sizes.get(key, 0)
            if part and total + size > self._part_bytes:
                yield part
                part, total = {}, 0
            part[key] = copies
            total += size
        yield part

    async def _handle(self, jobs: Jobs) -> None:
        claims, claimed_at, unclaimed = await self._claim_batch(jobs, uuid7())
        outcomes = await self._send(claims, claimed_at)
        unrecorded = await self._record_outcomes(jobs, claims, outcomes) if claims.claimed else frozenset()
        failed = unclaimed | unrecorded
        await asyncio.gather(
            *(
                delivery.reject(requeue=True) if key in failed else delivery.ack()
                for key, copies in jobs.items()
                for delivery in copies
            )
        )

    async def _claim_batch(self, jobs: Jobs, owner: UUID) -> tuple[Claims, float, frozenset[UUID]]:
        """Claim all; where that fails, claim one by one, so that one odd row spends no other's delivery limit.

        :returns: the claims, when the first lease began, and the notifications that could not be claimed.
        """
        try:
            claims, claimed_at = await self._database_retry.retry_while_unavailable(partial(self._claim, jobs, owner))
        except Abandoned:
            raise
        except Exception:
            log.exception("delivery.not_claimed", notification_ids=[str(key) for key in jobs][:10], count=len(jobs))
            if len(jobs) == 1:
                return merge_claims([], owner), asyncio.get_running_loop().time(), frozenset(jobs)
            parts = [await self._claim_batch({key: copies}, owner) for key, copies in jobs.items()]
            return (
                merge_claims([claims for claims, _, _ in parts], owner),
                min(claimed_at for _, claimed_at, _ in parts),
                frozenset().union(*(unclaimed for _, _, unclaimed in parts)),
            )
        return claims, claimed_at, frozenset()

    async def _claim(self, jobs: Jobs, owner: UUID) -> tuple[Claims, float]:
        """The claims, and when their leases began, by the event loop's clock."""
        claimed_at = asyncio.get_running_loop().time()

        async def claim() -> Claims:
            claims = await self._deliveries.claim([*jobs], owner=owner)
            await update_outbox(jobs, claims.settled, claims.later)
            return claims

        return await self._database.run(claim), claimed_at

    async def _record_outcomes(self, jobs: Jobs, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> frozenset[UUID]:
        """Mark all; where that fails, mark one by one, so that one odd row does not have the others sent again.

        :returns: the notifications that could not be marked.
        """
        try:
            # A sent mail without its mark would be sent again: retried, unacknowledged, until the database answers.
            marked = await self._database_retry.retry_while_unavailable(partial(self._mark, jobs, claims, outcomes))
        except Abandoned:
            raise
        except Exception:
            ids = [row.id for row in claims.claimed]
            log.exception("delivery.not_marked", notification_ids=[str(key) for key in ids][:10], count=len(ids))
            if len(ids) == 1:
                return frozenset(ids)
            single = [replace(claims, claimed=[row]) for row in claims.claimed]
            return frozenset().union(*[await self._record_outcomes(jobs, one, outcomes) for one in single])
        for row in claims.claimed:
            log.info(
                "delivery.attempted",
                notification_id=str(row.id),
                attempt=row.attempt,
                outcome=type(outcomes[row.id]).__name__,
                again_in_s=round(marked.later[row.id], 1) if row.id in marked.later else None,
            )
        return frozenset()

    async def _mark(self, jobs: Jobs, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
        async def mark() -> MarkResult:
            marked = await self._deliveries.mark(claims, outcomes)
            await update_outbox(jobs, marked.settled, marked.later)
            return marked

        # `run` repeats it after a deadlock, also at the stop, when `retry_while_unavailable` would abandon sent mails.
        return await self._database.run(mark)

    async def _send(self, claims: Claims, claimed_at: float) -> dict[UUID, Outcome]:
        """Render all, and give each provider its messages in one call."""
        outcomes: dict[UUID, Outcome] = {}
        parts: dict[str, list[Outgoing]] = {}
        for row in claims.claimed:
            provider = "simulated" if row.mode == "test" or is_simulated(row.recipient) else row.channel
            made = self._render(row, claims.contents[row.id])
            if isinstance(made, Outgoing):
                parts.setdefault(provider, []).append(made)
            else:
                outcomes[row.id] = made
        results = await asyncio.gather(*(self._call(name, part, claimed_at) for name, part in parts.items()))
        for part, result in zip(parts.values(), results, strict=True):
            outcomes |= {message.notification_id: outcome for message, outcome in zip(part, result, strict=True)}
        return outcomes

    def _render(self, row: Notification, content: Content) -> Outgoing | Outcome:
        """The message, or this notification's outcome. Its failure does not affect the rest of the batch."""
        channel = self._channels.get(row.channel)
        if channel is None:
            # During an upgrade a newer worker may have the channel. The attempts that it spends end it where none has.
            return TryLater("channel_unknown", f"This worker has no channel {row.channel!r}")
        try:
            return channel.render(row, content, self._vault)
        except Exception as error:
            log.exception("delivery.not_rendered", notification_id=str(row.id))
            return TryLater("render_failed", type(error).__name__)

    async def _call(self, name: str, part: Sequence[Outgoing], claimed_at: float) -> Sequence[Outcome]:
        lease_s = self._deliveries.lease_s
        deadline_at = claimed_at + lease_s * self._send_deadline
        if asyncio.get_running_loop().time() >= deadline_at:
            return [
                TryLater("not_started", "The lease was nearly over", delay_s=1.0, spends_attempt=False) for _ in part
            ]
        deadline = asyncio.Event()
        timer = asyncio.create_task(self._set_at(deadline, deadline_at))
        try:
            async with asyncio.timeout_at(claimed_at + lease_s * ABANDON_DEADLINE):
                outcomes = await self._providers[name].send(part, deadline=deadline)
        except TimeoutError:
            return [OutcomeUnknown("The provider did not answer in time") for _ in part]
        except Exception as error:
            log.exception("provider.failed", provider=name, count=len(part))
            return [OutcomeUnknown(type(error).__name__) for _ in part]
        finally:
            timer.cancel()
        if len(outcomes) != len(part):
            log.error("provider.miscounted", provider=name, count=len(part), outcomes=len(outcomes))
            return [OutcomeUnknown("The provider returned another number of outcomes than messages") for _ in part]
        return outcomes

    async def _set_at(self, deadline: asyncio.Event, at: float) -> None:
        now = asyncio.get_running_loop().time
        if await self._stop.sleep(max(at - now(), 0.0)):
            await asyncio.sleep(min(max(at - now(), 0.0), self._stop_grace_s))
        deadline.set()


def merge_claims(parts: Sequence[Claims], owner: UUID) -> Claims:
    """One `Claims` of several by the same owner."""
    return Claims(
        claimed=[row for part in parts for row in part.claimed],
        contents={key: content for part in parts for key, content in part.contents.items()},
        sending_events={key: event for part in parts for key, event in part.sending_events.items()},
        owner=owner,
        settled=frozenset().union(*(part.settled for part in parts)),
        later={key: delay_s for part in parts for key, delay_s in part.later.items()},
    )


async def update_outbox(jobs: Jobs, settled: frozenset[UUID], later: Mapping[UUID, float]) -> None:
    """Delete the wake-ups of ended notifications; postpone those of waiting ones (seconds)."""
    await outbox.settle([UUID(delivery.message.id) for key in settled for delivery in jobs[key]])
    await outbox.postpone(
        {UUID(delivery.message.id): delay_s for key, delay_s in later.items() for delivery in jobs[key]}
    )
