"""The message edge of deliveries: each wake-up is claimed when a slot is free, sent, marked, and only then acked.

A wake-up's message id is the id of its outbox row, which lives until the notification needs no more wake-ups.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from bongsu.broker import Delivery
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.contracts.queues import DELIVER, Priority
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.channel import Channel
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Outgoing, Provider, TryLater
from bongsu_notify.channels.simulated import is_simulated
from bongsu_notify.database_retry import Abandoned, DatabaseRetry
from bongsu_notify.dead_letters import dead_letter
from bongsu_notify.deliveries.pace import Pace, is_late
from bongsu_notify.deliveries.recording import SEND_DEADLINE, Claim, Recorder
from bongsu_notify.deliveries.service import Deliveries
from bongsu_notify.deliveries.statements import Peek
from bongsu_notify.deliveries.stream import Job, Stream

log = get_logger(__name__)

_PRIORITIES: dict[str, Priority] = {queue: lane for lanes in DELIVER.values() for lane, queue in lanes.items()}


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
        self._stop_grace_s = stop_grace_s
        self._recorder = Recorder(
            database, deliveries, database_retry, self._end, send_deadline=send_deadline, max_items=2 * batch
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
        await self._recorder.close()

    def _end_calls(self) -> None:
        for call in self._calls:
            if not call.expired():  # else it is ending, and takes no other time
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
        pace, slot = self._paces[jobs[0].provider], jobs[0].slot if jobs[0].is_at_most_once else None
        if self._stop.is_set() or (slot is not None and not await pace.wait_to_claim(slot, self._stop)):
            await self._end(jobs, None)
            return
        begun_at = asyncio.get_running_loop().time()
        claims, needless, held_up = await self._recorder.claim(jobs)
        pace.learn(asyncio.get_running_loop().time() - begun_at)
        self._reuse_slots(needless)
        await self._end(needless, True)
        await asyncio.gather(self._send_claimed(claims), *([self._deliver(held_up)] if held_up else []))

    async def _send_claimed(self, claims: Sequence[Claim]) -> None:
        """Send the messages of claims, and record the outcomes."""
        for claim in claims:
            self._render(claim)
        failed = [claim for claim in claims if claim.message is None]
        ready = [claim for claim in claims if claim.message is not None]
        self._reuse_slots([claim.job for claim in failed])
        await asyncio.gather(self._recorder.record(failed), *map(self._send_in_turn, self._split(ready)))

    def _reuse_slots(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.slot is not None:
                self._streams[job.provider].reuse(job.slot)

    async def _slow_down(self, provider: str) -> None:
        try:
            await self._paces[provider].slow_down()
        except Exception as error:  # noqa: BLE001 - the rate matters less than the outcome
            log.warning("delivery.not_slowed", error=type(error).__name__)

    async def _end(self, jobs: Sequence[Job], is_recorded: bool | None) -> None:
        """Free the slots of jobs, and settle their wake-ups. With None the broker redelivers those."""
        if not jobs:
            return
        try:
            for job in jobs:
                del self._jobs[job.id]
                if is_recorded is None:
                    continue
                for at, delivery in enumerate(job.wake_ups):  # also those that came after it was recorded
                    if not delivery.settled:  # a copy that came in a batch that failed: the consumer has returned it
                        is_done = is_recorded and at < job.recorded
                        await (delivery.ack() if is_done else delivery.reject(requeue=True))
        finally:
            self._streams[jobs[0].provider].release(jobs)

    def _split(self, claims: Sequence[Claim]) -> Sequence[Sequence[Claim]]:
        """Split claims into calls."""
        if not claims:
            return []
        name = claims[0].job.provider
        by_id = {claim.row.id: claim for claim in claims}
        try:
            calls = self._providers[name].split([claim.message for claim in claims])
            return [[by_id[message.notification_id] for message in call] for call in calls]
        except Exception:
            log.exception("provider.failed", provider=name, notification_id=str(claims[0].row.id))
            return [[claim] for claim in claims]

    async def _send_in_turn(self, call: Sequence[Claim]) -> None:
        """Send the messages of a call when their slots come, and record the outcomes."""
        count = await self._wait_for_slots([claim.job for claim in call])
        if 0 < count < len(call):  # an urgent message has taken over a slot
            await asyncio.gather(self._send_in_turn(call[:count]), self._send_in_turn(call[count:]))
            return
        deadline = min(claim.deadline for claim in call)
        if count and asyncio.get_running_loop().time() < deadline:
            for claim, outcome in zip(call, await self._send(call, deadline), strict=True):
                claim.outcome = outcome
        if any(isinstance(claim.outcome, TryLater) and claim.outcome.is_throttled for claim in call):
            # At the same time: what the call has sent is recorded, however long the rate's row is locked.
            await asyncio.gather(self._recorder.record(call), self._slow_down(call[0].job.provider))
        else:
            await self._recorder.record(call)

    async def _send(self, call: Sequence[Claim], deadline: float) -> list[Outcome]:
        name = call[0].job.provider
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                self._calls.add(limit)
                outcomes = await self._providers[name].send([claim.message for claim in call])
                return [outcome for _, outcome in zip(call, outcomes, strict=True)]
        except TimeoutError:
            outcome = OutcomeUnknown("The provider did not answer in time")
        except asyncio.CancelledError:
            # A client that ends the requests of a lost connection may cancel them, which is not the task's end.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            outcome = OutcomeUnknown("The call was cancelled")
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

    def _render(self, claim: Claim) -> None:
        """Set the claim's message, or the outcome of a notification that cannot be rendered."""
        made: Outgoing | Outcome
        channel = self._channels.get(claim.row.channel)
        try:
            # During an upgrade a newer worker may have the channel. The attempts that it spends end it where none has.
            unknown = TryLater("channel_unknown", f"This worker has no channel {claim.row.channel!r}")
            made = channel.render(claim.row, claim.content, self._vault) if channel is not None else unknown
        except Exception as error:
            log.exception("delivery.not_rendered", notification_id=str(claim.row.id))
            made = TryLater("render_failed", type(error).__name__)
        if isinstance(made, Outgoing):
            claim.message = made
        else:
            claim.outcome = made
