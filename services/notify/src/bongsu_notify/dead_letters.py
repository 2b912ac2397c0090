"""Dead-letters messages that no retry can fix, and postpones those that were moved back."""

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


async def postpone(delivery: Delivery, delay_s: float) -> None:
    """Publish a message of the outbox again later, also a dead letter that was moved back, and so has no row."""
    row, message = UUID(delivery.message.id), delivery.message
    if not await outbox.postpone({row: delay_s}):
        await outbox.append(delivery.queue, message.body, delay_s=delay_s, headers=message.headers, id=row)
