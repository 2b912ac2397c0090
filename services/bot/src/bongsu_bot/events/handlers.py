"""The message edge: events of auth."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar
from uuid import UUID

from bongsu import outbox
from bongsu.broker import BatchHandler, Broker, BrokerError, Consumer, Delivery, QueueSpec
from bongsu.contracts.guilds import GuildInstalled
from bongsu.contracts.queues import BOT_GUILDS_INSTALLED, BOT_QUEUES, BOT_USERS_DELETED
from bongsu.contracts.users import UserDeleted
from bongsu.contracts.wire import Wire
from bongsu.mixins import Database, is_unavailable
from bongsu.runtime.background import in_background
from bongsu.runtime.logging import get_logger
from bongsu_bot.deleted_users.service import forget
from bongsu_bot.installs.service import record

log = get_logger(__name__)
Event = TypeVar("Event", bound=Wire)

RETRY_S = 5.0


class EventHandler(Generic[Event]):
    """Handles the events of one kind.

    :param work: handles an event, in a unit of work; it may run more than once for an event.
    """

    def __init__(self, database: Database, event: type[Event], work: Callable[[Event], Awaitable[None]]) -> None:
        self._database = database
        self._event = event
        self._work = work

    async def __call__(self, deliveries: list[Delivery]) -> None:
        """Handle each event by itself; dead-letter malformed ones."""
        for delivery in deliveries:
            await self._handle(delivery)

    async def _handle(self, delivery: Delivery) -> None:
        kind = self._event.__name__
        try:
            event = self._event.model_validate(delivery.message.body)
            outbox_id = UUID(delivery.message.id)
        except ValueError as error:
            log.error("event.malformed", kind=kind, message_id=delivery.message.id, error=type(error).__name__)
            await delivery.reject(requeue=False)
            return
        try:
            async with self._database.unit():
                await self._work(event)
                await outbox.settle([outbox_id])
        except Exception as error:
            if not is_unavailable(error):
                raise
            # Its outbox row is not settled, so the relay publishes it again.
            log.warning("event.postponed", kind=kind, message_id=delivery.message.id)
        else:
            log.info("event.handled", kind=kind, message_id=delivery.message.id)
        await delivery.ack()


async def _forget(event: UserDeleted) -> None:
    await forget(event.user_id)


@asynccontextmanager
async def consuming(database: Database, broker: Broker, *, retry_s: float = RETRY_S) -> AsyncIterator[None]:
    """Consume while the block runs, with or without a connection to Discord. Waits for the broker in the background."""
    consumers: list[Consumer] = []
    handlers: dict[str, BatchHandler] = {
        BOT_USERS_DELETED: EventHandler(database, UserDeleted, _forget),
        BOT_GUILDS_INSTALLED: EventHandler(database, GuildInstalled, record),
    }

    async def start() -> None:
        while handlers:
            try:
                await broker.declare(*(QueueSpec(name) for name in BOT_QUEUES))
                for queue in [*handlers]:
                    consumers.append(await broker.consume(queue, handlers[queue], prefetch=1))
                    del handlers[queue]
            except BrokerError as error:
                log.warning("event.queue_unavailable", reason=str(error))
                await asyncio.sleep(retry_s)

    async with in_background(start(), name="events of auth"):
        yield
    for consumer in consumers:
        await consumer.cancel()
