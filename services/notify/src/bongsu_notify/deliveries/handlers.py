"""The message edge of deliveries: wake-ups come in batches; each is claimed, sent, marked, and only then acked.

A wake-up's message id is the id of its outbox row, which lives until the notification needs no more wake-ups.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.port import Channel, Outcome, OutcomeUnknown, Outgoing, Refused
from bongsu_notify.channels.simulated import is_simulated
from bongsu_notify.dead_letters import give_up
from bongsu_notify.deliveries import service
from bongsu_notify.deliveries.rendering import Renderer
from bongsu_notify.deliveries.service import Claims, Marked
from bongsu_notify.holding import until_database_answers
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings

log = get_logger(__name__)


class DeliveryHandler:
    """Handles batches of wake-ups. `channels` are by name; `simulated` serves test mode and simulator addresses."""

    def __init__(
        self,
        *,
        database: Database,
        channels: Mapping[str, Channel],
        renderer: Renderer,
        settings: NotifySettings,
        stop: StopSignal,
    ) -> None:
        self._database = database
        self._channels = channels
        self._renderer = renderer
        self._settings = settings
        self._stop = stop

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """Bring a batch as far as it can be brought now."""
        jobs = await self._read(deliveries)
        if not jobs:
            return
        claims = await until_database_answers(lambda: self._claim(jobs), self._stop)
        outcomes = await self._send(claims.claimed)
        if claims.claimed:
            # Sent but not written down would be sent again: held unacked and tried until the database answers.
            marked = await until_database_answers(lambda: self._mark(jobs, claims, outcomes), self._stop)
            self._log(claims, outcomes, marked)
        await asyncio.gather(*(delivery.ack() for copies in jobs.values() for delivery in copies))

    async def _read(self, deliveries: Sequence[Delivery]) -> dict[UUID, list[Delivery]]:
        """The wake-ups by notification; what is not one is dead-lettered, as no retry can mend it."""
        jobs: dict[UUID, list[Delivery]] = {}
        for delivery in deliveries:
            try:
                UUID(delivery.message.id)
                wakeup = DeliveryWakeup.model_validate(delivery.message.body)
            except ValueError as error:
                log.error("wakeup.malformed", message_id=delivery.message.id, error=type(error).__name__)
                await until_database_answers(partial(give_up, self._database, delivery), self._stop)
            else:
                jobs.setdefault(wakeup.notification_id, []).append(delivery)
        return jobs

    async def _claim(self, jobs: Mapping[UUID, Sequence[Delivery]]) -> Claims:
        async with self._database.unit():
            claims = await service.claim(
                [*jobs], lease_s=self._settings.lease_s, max_attempts=self._settings.max_attempts
            )
            await _forward(jobs, claims.settled, claims.later)
            return claims

    async def _mark(
        self, jobs: Mapping[UUID, Sequence[Delivery]], claims: Claims, outcomes: Mapping[UUID, Outcome]
    ) -> Marked:
        async with self._database.unit():
            marked = await service.mark(claims, outcomes, max_attempts=self._settings.max_attempts)
            await _forward(jobs, marked.settled, marked.later)
            return marked

    async def _send(self, claimed: Sequence[Notification]) -> dict[UUID, Outcome]:
        """Render and hand each to its channel; a channel gets its part of the batch in one call."""
        outcomes: dict[UUID, Outcome] = {}
        parts: dict[str, list[Notification]] = {}
        for one in claimed:
            simulated = one.mode == "test" or is_simulated(one.recipient)
            parts.setdefault("simulated" if simulated else one.channel, []).append(one)
        for name, part in parts.items():
            ready = []
            for one in part:
                rendered = self._renderer.render(one)
                if isinstance(rendered, Refused):
                    outcomes[one.id] = rendered
                else:
                    ready.append(rendered)
            for message, outcome in zip(ready, await self._call(name, ready), strict=True):
                outcomes[message.notification_id] = outcome
        return outcomes

    async def _call(self, name: str, ready: Sequence[Outgoing]) -> Sequence[Outcome]:
        try:
            # Well inside the lease, so that no other worker sends what this one still holds.
            async with asyncio.timeout(self._settings.lease_s * 0.8):
                return await self._channels[name].send(ready)
        except TimeoutError:
            return [OutcomeUnknown("the provider did not answer in time") for _ in ready]

    def _log(self, claims: Claims, outcomes: Mapping[UUID, Outcome], marked: Marked) -> None:
        for one in claims.claimed:
            log.info(
                "delivery.attempted",
                notification_id=str(one.id),
                attempt=one.attempt,
                outcome=type(outcomes[one.id]).__name__,
                again_in_s=round(marked.later[one.id], 1) if one.id in marked.later else None,
            )


async def _forward(
    jobs: Mapping[UUID, Sequence[Delivery]], settled: frozenset[UUID], later: Mapping[UUID, float]
) -> None:
    """Forget the wake-ups of what ended; put off those of what waits."""
    await outbox.settle([UUID(delivery.message.id) for key in settled for delivery in jobs[key]])
    for key, delay_s in later.items():
        await outbox.postpone([UUID(delivery.message.id) for delivery in jobs[key]], delay_s=delay_s)
