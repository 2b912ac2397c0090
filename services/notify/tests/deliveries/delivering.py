"""Accepts notifications as the API does, and delivers them with a relay and a consumer."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Broker, Delivery, Message
from bongsu.broker.port import JsonObject
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.contracts.queues import DELIVER
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, python_now, uuid7
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.port import OneByOne, Outcome, Provider, Sent
from bongsu_notify.channels.registry import create_channels
from bongsu_notify.channels.simulated import SimulatedProvider
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.deliveries import service
from bongsu_notify.deliveries.handlers import DeliveryHandler
from bongsu_notify.deliveries.service import Deliveries
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings
from services.notify.tests.rows import email_row
from tests.eventually import eventually

QUEUE = DELIVER["email"]["normal"]


def make_handler(
    database: Database,
    vault: Vault,
    stop: StopSignal,
    provider: Provider[Any],
    *,
    simulated: Provider[Any] | None = None,
    deliveries: Deliveries | None = None,
    **limits: Any,  # noqa: ANN401 - the handler's own
) -> DeliveryHandler:
    """A handler of mails with the provider in the place of SES."""
    return DeliveryHandler(
        database=database,
        deliveries=deliveries or Deliveries(lease_s=60, max_attempts=8),
        channels=create_channels(NotifySettings()),
        providers={"email": provider, "simulated": simulated or SimulatedProvider()},
        vault=vault,
        stop=stop,
        database_retry=DatabaseRetry(stop),
        **limits,
    )


async def accept(database: Database, queue: str = QUEUE, **values: object) -> Notification:
    """Store a notification and its wake-up."""
    async with database.unit():
        one = await email_row(**values).save()
        await outbox.append(queue, _body(one))
        return one


async def accept_bulk(database: Database, count: int) -> None:
    """Store mails of the bulk lane and their wake-ups."""
    rows = [email_row(subject="bulk", priority="bulk") for _ in range(count)]
    async with database.unit():
        await Notification.bulk_create(rows)
        messages = [outbox.NewMessage(DELIVER["email"]["bulk"], _body(one), lane=2) for one in rows]
        await outbox.append_many(messages, now=python_now())


async def wake_up(database: Database, **values: object) -> Message:
    """Store a notification and its wake-up, which is the caller's to publish."""
    async with database.unit():
        one = await email_row(**values).save()
        row = await outbox.append(QUEUE, _body(one), delay_s=3600)
        return Message(id=str(row), body=_body(one))


def _body(one: Notification) -> JsonObject:
    return DeliveryWakeup(notification_id=one.id).model_dump(mode="json")


async def release_leases(database: Database) -> None:
    """Let the leases of a killed worker, and the waits of its wake-ups, end."""
    async with database.unit():
        await service.release()


async def deliver(
    broker: Broker, database: Database, handler: DeliveryHandler, *, until: Callable[[], Awaitable[bool]]
) -> None:
    """Relay and consume until the condition holds."""
    consumer = await broker.consume(QUEUE, handler, prefetch=64, batch_max=32)
    async with Relay(database, broker).run():
        await eventually(until)
        await handler.close()
    await consumer.cancel()


def status_is(one: Notification, *statuses: str) -> Callable[[], Awaitable[bool]]:
    """The condition that the notification has one of the statuses."""

    async def reached() -> bool:
        return (await Notification.get(one.id)).status in statuses

    return reached


class WakeUp(Delivery):
    """A delivery that remembers its outcome."""

    lost = False

    def __init__(self, one: Notification, row: UUID | None = None) -> None:
        body = DeliveryWakeup(notification_id=one.id).model_dump(mode="json")
        super().__init__(QUEUE, Message(id=str(row or uuid7()), body=body), delivery_count=0)
        self.outcome = "held"

    async def _send_ack(self) -> None:
        self.outcome = "done"

    async def _send_reject(self, *, requeue: bool) -> None:
        self.outcome = "requeued" if requeue else "dead"


class Held(OneByOne[EmailMessage]):
    """Returns when `release` is set. `running` counts the messages that it holds, by subject; `most` its maximum."""

    max_rate: float | None = None

    def __init__(self) -> None:
        self.started, self.release = asyncio.Event(), asyncio.Event()
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.sent: list[EmailMessage] = []

    async def open(self) -> None: ...

    async def is_ready(self) -> bool:
        return True

    async def send_one(self, message: EmailMessage) -> Outcome:
        self.sent.append(message)
        self.running[message.subject] += 1
        self.most |= self.running
        self.started.set()
        try:
            if self.holds(message):
                await self.release.wait()
        finally:
            self.running -= Counter([message.subject])
        return Sent("m-1")

    def holds(self, message: EmailMessage) -> bool:  # noqa: ARG002 - it holds every message
        return True

    async def close(self) -> None: ...


class HoldingSome(Held):
    """Holds the messages with these subjects, and answers the others."""

    def __init__(self, *subjects: str) -> None:
        super().__init__()
        self._subjects = subjects or ("hang",)

    def holds(self, message: EmailMessage) -> bool:
        return message.subject in self._subjects


class HoldingTwoCalls(Held):
    """Sends messages that start together in one call, and holds the first two calls; `held` counts their messages."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.held = 0

    def split(self, messages: Sequence[EmailMessage]) -> Sequence[Sequence[EmailMessage]]:
        return [messages]

    async def send(self, call: Sequence[EmailMessage]) -> Sequence[Outcome]:
        self.calls += 1
        if self.calls <= 2:
            self.held += len(call)
            await self.release.wait()
        return [Sent("m-1")] * len(call)
