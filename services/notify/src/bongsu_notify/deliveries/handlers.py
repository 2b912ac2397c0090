"""The message edge of deliveries: wake-ups come in batches; each is claimed, sent, marked, and only then acked.

A wake-up's message id is the id of its outbox row, which lives until the notification needs no more wake-ups.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.mixins import Database, uuid7
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.port import Channel, Outcome, OutcomeUnknown, Outgoing, TryLater
from bongsu_notify.channels.simulated import is_simulated
from bongsu_notify.dead_letters import give_up
from bongsu_notify.deliveries import service
from bongsu_notify.deliveries.rendering import Renderer
from bongsu_notify.deliveries.service import Claims, Content, Marked
from bongsu_notify.holding import Abandoned, Holding
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings

log = get_logger(__name__)

CUT_OFF = 0.7
"""The part of a lease after which no more is begun or waited for: no other worker sends what this one still holds."""
GIVEN_UP = 0.9
"""The part of it after which a channel that does not answer is not waited for either."""
PART_BYTES = 4 * 1024 * 1024
"""How much content of a batch is in memory at a time: a batch of the largest mails would not fit the process."""
STOP_GRACE_S = 2.0
"""How long what is under way at the stop may take: what was sent by then is still written down."""


class DeliveryHandler:
    """Handles batches of wake-ups. `channels` are by name; `simulated` serves test mode and simulator addresses."""

    def __init__(  # noqa: PLR0913 - each is something that is given to the whole process
        self,
        *,
        database: Database,
        channels: Mapping[str, Channel],
        renderer: Renderer,
        settings: NotifySettings,
        stop: StopSignal,
        holding: Holding | None = None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._renderer = renderer
        self._settings = settings
        self._stop = stop
        self._holding = holding or Holding(stop)

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Bring a batch as far as it can be brought now."""
        jobs = await self._read(deliveries)
        if not jobs:
            return
        sizes = await self._holding.retry_while_unavailable(lambda: service.sizes([*jobs]))
        for part in _parts(jobs, sizes):
            if self._stop.is_set():
                return  # left unacknowledged: the broker gives it to another worker once this one is gone
            await self._handle(part)

    async def _handle(self, jobs: Mapping[UUID, Sequence[Delivery]]) -> None:
        claims, claimed_at, unclaimed = await self._take(jobs, uuid7())
        outcomes = await self._send(claims, claimed_at)
        unwritten = await self._write_down(jobs, claims, outcomes) if claims.claimed else frozenset()
        failed = unclaimed | unwritten
        await asyncio.gather(
            *(
                delivery.reject(requeue=True) if key in failed else delivery.ack()
                for key, copies in jobs.items()
                for delivery in copies
            )
        )

    async def _take(
        self, jobs: Mapping[UUID, Sequence[Delivery]], owner: UUID
    ) -> tuple[Claims, float, frozenset[UUID]]:
        """Claim all, and where that fails each alone, so that one odd row does not spend the others' delivery limit.

        :returns: the claims, when the first of their leases began, and those that could not be claimed.
        """
        try:
            claims, claimed_at = await self._holding.retry_while_unavailable(lambda: self._claim(jobs, owner))
        except Abandoned:
            raise
        except Exception:
            log.exception("delivery.not_claimed", notification_ids=[str(key) for key in jobs][:10], count=len(jobs))
            if len(jobs) == 1:
                return _together([], owner), asyncio.get_running_loop().time(), frozenset(jobs)
            parts = [await self._take({key: copies}, owner) for key, copies in jobs.items()]
            return (
                _together([claims for claims, _, _ in parts], owner),
                min(claimed_at for _, claimed_at, _ in parts),
                frozenset().union(*(unclaimed for _, _, unclaimed in parts)),
            )
        return claims, claimed_at, frozenset()

    async def _write_down(
        self, jobs: Mapping[UUID, Sequence[Delivery]], claims: Claims, outcomes: Mapping[UUID, Outcome]
    ) -> frozenset[UUID]:
        """Mark all, and where that fails each alone, so that one odd row does not have the others sent again.

        :returns: those that could not be marked.
        """
        try:
            # Sent but not written down would be sent again: held unacked and tried until the database answers.
            marked = await self._holding.retry_while_unavailable(lambda: self._mark(jobs, claims, outcomes))
        except Abandoned:
            raise
        except Exception:
            ids = [one.id for one in claims.claimed]
            log.exception("delivery.not_marked", notification_ids=[str(key) for key in ids][:10], count=len(ids))
            if len(ids) == 1:
                return frozenset(ids)
            alone = [replace(claims, claimed=[one]) for one in claims.claimed]
            return frozenset().union(*[await self._write_down(jobs, one, outcomes) for one in alone])
        self._log(claims, outcomes, marked)
        return frozenset()

    async def _read(self, deliveries: Sequence[Delivery]) -> dict[UUID, list[Delivery]]:
        """The wake-ups by notification; what is not one is dead-lettered, as no retry can mend it."""
        jobs: dict[UUID, list[Delivery]] = {}
        for delivery in deliveries:
            try:
                UUID(delivery.message.id)
                wakeup = DeliveryWakeup.model_validate(delivery.message.body)
            except ValueError as error:
                log.error("wakeup.malformed", message_id=delivery.message.id, error=type(error).__name__)
                await self._holding.retry_while_unavailable(partial(give_up, self._database, delivery))
            else:
                jobs.setdefault(wakeup.notification_id, []).append(delivery)
        return jobs

    async def _claim(self, jobs: Mapping[UUID, Sequence[Delivery]], owner: UUID) -> tuple[Claims, float]:
        """The claims, and when their leases began, by the event loop's clock."""
        claimed_at = asyncio.get_running_loop().time()

        async def claim() -> Claims:
            claims = await service.claim(
                [*jobs], lease_s=self._settings.lease_s, max_attempts=self._settings.max_attempts, owner=owner
            )
            await _forward(jobs, claims.settled, claims.later)
            return claims

        return await self._database.run(claim), claimed_at

    async def _mark(
        self, jobs: Mapping[UUID, Sequence[Delivery]], claims: Claims, outcomes: Mapping[UUID, Outcome]
    ) -> Marked:
        async def mark() -> Marked:
            marked = await service.mark(claims, outcomes, max_attempts=self._settings.max_attempts)
            await _forward(jobs, marked.settled, marked.later)
            return marked

        # Repeated here after a deadlock: `retry_while_unavailable` gives up at the stop, and this has been sent.
        return await self._database.run(mark)

    async def _send(self, claims: Claims, claimed_at: float) -> dict[UUID, Outcome]:
        """Render and hand each to its channel; a channel gets its part of the batch in one call."""
        outcomes: dict[UUID, Outcome] = {}
        parts: dict[str, list[Outgoing]] = {}
        for one in claims.claimed:
            name = "simulated" if one.mode == "test" or is_simulated(one.recipient) else one.channel
            made = self._render(one, claims.contents[one.id], name)
            if isinstance(made, Outgoing):
                parts.setdefault(name, []).append(made)
            else:
                outcomes[one.id] = made
        answers = await asyncio.gather(*(self._call(name, part, claimed_at) for name, part in parts.items()))
        for part, answer in zip(parts.values(), answers, strict=True):
            outcomes |= {message.notification_id: outcome for message, outcome in zip(part, answer, strict=True)}
        return outcomes

    def _render(self, one: Notification, content: Content, channel: str) -> Outgoing | Outcome:
        """The message for a channel, or what becomes of this one: the rest of its batch has no part in it."""
        if channel not in self._channels:
            # A newer worker may know it, and an upgrade is over long before the attempts are. That it spends them is
            # what ends it where none does.
            return TryLater("channel_unknown", f"this worker has no channel {channel!r}")
        try:
            return self._renderer.render(one, content)
        except Exception as error:
            log.exception("delivery.not_rendered", notification_id=str(one.id))
            return TryLater("render_failed", type(error).__name__)

    async def _call(self, name: str, part: Sequence[Outgoing], claimed_at: float) -> Sequence[Outcome]:
        cut_off_at = claimed_at + self._settings.lease_s * CUT_OFF
        if asyncio.get_running_loop().time() >= cut_off_at:
            return [TryLater("not_begun", "the lease was nearly over", delay_s=1.0, spends_attempt=False) for _ in part]
        cutoff = asyncio.Event()
        clock = asyncio.create_task(self._cut_off(cutoff, cut_off_at))
        try:
            async with asyncio.timeout_at(claimed_at + self._settings.lease_s * GIVEN_UP):
                answers = await self._channels[name].send(part, cutoff=cutoff)
        except TimeoutError:
            return [OutcomeUnknown("the provider did not answer in time") for _ in part]
        except Exception as error:
            log.exception("channel.failed", channel=name, count=len(part))
            return [OutcomeUnknown(type(error).__name__) for _ in part]
        finally:
            clock.cancel()
        if len(answers) != len(part):
            log.error("channel.miscounted", channel=name, count=len(part), answers=len(answers))
            return [OutcomeUnknown("it is not known which answer is whose") for _ in part]
        return answers

    async def _cut_off(self, cutoff: asyncio.Event, at: float) -> None:
        now = asyncio.get_running_loop().time
        if await self._stop.sleep(max(at - now(), 0.0)):
            await asyncio.sleep(min(max(at - now(), 0.0), STOP_GRACE_S))
        cutoff.set()

    def _log(self, claims: Claims, outcomes: Mapping[UUID, Outcome], marked: Marked) -> None:
        for one in claims.claimed:
            log.info(
                "delivery.attempted",
                notification_id=str(one.id),
                attempt=one.attempt,
                outcome=type(outcomes[one.id]).__name__,
                again_in_s=round(marked.later[one.id], 1) if one.id in marked.later else None,
            )


def _parts(
    jobs: Mapping[UUID, Sequence[Delivery]], sizes: Mapping[UUID, int]
) -> Iterator[Mapping[UUID, Sequence[Delivery]]]:
    part: dict[UUID, Sequence[Delivery]] = {}
    total = 0
    for key, copies in jobs.items():
        size = sizes.get(key, 0)
        if part and total + size > PART_BYTES:
            yield part
            part, total = {}, 0
        part[key] = copies
        total += size
    yield part


def _together(parts: Sequence[Claims], owner: UUID) -> Claims:
    return Claims(
        claimed=[one for part in parts for one in part.claimed],
        contents={key: content for part in parts for key, content in part.contents.items()},
        begun={key: step for part in parts for key, step in part.begun.items()},
        owner=owner,
        settled=frozenset().union(*(part.settled for part in parts)),
        later={key: delay_s for part in parts for key, delay_s in part.later.items()},
    )


async def _forward(
    jobs: Mapping[UUID, Sequence[Delivery]], settled: frozenset[UUID], later: Mapping[UUID, float]
) -> None:
    """Forget the wake-ups of what ended; put off those of what waits."""
    await outbox.settle([UUID(delivery.message.id) for key in settled for delivery in jobs[key]])
    await outbox.postpone(
        {UUID(delivery.message.id): delay_s for key, delay_s in later.items() for delivery in jobs[key]}
    )
