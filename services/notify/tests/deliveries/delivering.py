"""Accepts notifications as the API does, and delivers them with a relay and a consumer."""

from collections.abc import Awaitable, Callable

from bongsu import outbox
from bongsu.broker import Broker
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.contracts.queues import DELIVER
from bongsu.mixins import Database
from bongsu.outbox.relay import Relay
from bongsu_notify.deliveries.handlers import DeliveryHandler
from bongsu_notify.notifications.models import Notification
from tests.eventually import eventually

QUEUE = DELIVER["normal"]


async def accepted(database: Database, **values: object) -> Notification:
    """A notification and its wake-up."""
    given: dict[str, object] = {
        "principal": "user:1",
        "channel": "email",
        "recipient": "someone@example.com",
        "subject": "안녕",
        "text": "봉수",
    }
    async with database.unit():
        one = await Notification(**(given | values)).save()
        body = DeliveryWakeup(notification_id=one.id).model_dump(mode="json")
        await outbox.append(QUEUE, body)
        return one


async def deliver(
    broker: Broker, database: Database, handler: DeliveryHandler, *, until: Callable[[], Awaitable[bool]]
) -> None:
    """Relay and consume until something has happened."""
    consumer = await broker.consume(QUEUE, handler, prefetch=64, batch_max=32)
    async with Relay(database, broker).running():
        await eventually(until)
    await consumer.cancel()


def status_is(one: Notification, *statuses: str) -> Callable[[], Awaitable[bool]]:
    """Whether it has come that far."""

    async def reached() -> bool:
        return (await Notification.get(one.id)).status in statuses

    return reached
