"""Giving a message up: for bodies that no retry can mend."""

from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.mixins import Database


async def give_up(database: Database, delivery: Delivery) -> None:
    """Move a message to its dead-letter queue, and forget its outbox row, which would send it again and again."""
    if not delivery.settled:  # else this is tried again, as the database was down
        await delivery.reject(requeue=False)
    try:
        row = UUID(delivery.message.id)
    except ValueError:
        return
    async with database.unit():
        await outbox.settle([row])
