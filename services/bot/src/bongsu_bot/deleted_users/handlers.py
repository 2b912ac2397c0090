"""The message edge: deleted accounts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Broker, BrokerError, Consumer, Delivery, QueueSpec
from bongsu.contracts.queues import BOT_QUEUES, BOT_USERS_DELETED
from bongsu.contracts.users import UserDeleted
from bongsu.mixins import Database, is_unavailable
from bongsu.runtime.background import in_background
from bongsu.runtime.logging import get_logger
from bongsu_bot.deleted_users import service

log = get_logger(__name__)

RETRY_S = 5.0


class UserDeletedHandler:
    """Forgets deleted accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, deliveries: list[Delivery]) -> None:
        """Handle each event by itself; dead-letter malformed ones."""
        for delivery in deliveries:
            await self._handle(delivery)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            event = UserDeleted.model_validate(delivery.message.body)
            outbox_id = UUID(delivery.message.id)
        except ValueError as error:
            log.error("user_deleted.malformed", message_id=delivery.message.id, error=type(error).__name__)
            await delivery.reject(requeue=False)
            return
        try:
            async with self._database.unit():
                await service.forget(event.user_id)
                await outbox.settle([outbox_id])
        except Exception as error:
            if not is_unavailable(error):
                raise
            # Its outbox row is not settled, so the relay publishes it again.
            log.warning("user_deleted.postponed", user_id=str(event.user_id))
        else:
            log.info("user_references.deleted", user_id=str(event.user_id))
        await delivery.ack()


@asynccontextmanager
async def consuming(database: Database, broker: Broker, *, retry_s: float = RETRY_S) -> AsyncIterator[None]:
    """Consume while the block runs, with or without a connection to Discord. Waits for the broker in the background."""
    consumers: list[Consumer] = []

    async def start() -> None:
        while True:
            try:
                await broker.declare(*(QueueSpec(name) for name in BOT_QUEUES))
                consumers.append(await broker.consume(BOT_USERS_DELETED, UserDeletedHandler(database), prefetch=1))
            except BrokerError as error:
                log.warning("user_deleted.queue_unavailable", reason=str(error))
                await asyncio.sleep(retry_s)
            else:
                return

    async with in_background(start(), name="deleted users"):
        yield
    for consumer in consumers:
        await consumer.cancel()
