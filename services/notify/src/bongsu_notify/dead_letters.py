"""Dead-letters messages that no retry can fix."""

from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.mixins import Database


async def dead_letter(database: Database, delivery: Delivery) -> None:
    """Move a message to its dead-letter queue, and delete its outbox row, which would publish it again."""
    if not delivery.settled:  # a second try, after the database was unavailable
        await delivery.reject(requeue=False)
    try:
        row = UUID(delivery.message.id)
    except ValueError:
        return
    await database.run(outbox.settle, [row])
