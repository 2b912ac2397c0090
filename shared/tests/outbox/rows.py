"""Looking at the outbox's rows, and moving them in time."""

from datetime import datetime, timedelta
from uuid import UUID

from bongsu.mixins import Database, utc_now
from bongsu.outbox import append
from bongsu.outbox.models import OutboxMessage
from shared.tests.outbox.conftest import QUEUE


async def append_some(database: Database, count: int, *, queue: str = QUEUE, lane: int = 1) -> list[UUID]:
    """Rows with the bodies {"n": 0}, {"n": 1}, and so on."""
    async with database.unit():
        return [await append(queue, {"n": n}, lane=lane) for n in range(count)]


async def only_row() -> OutboxMessage:
    return await OutboxMessage.filter_by(attempts__ge=0).one()


async def row_count() -> int:
    return await OutboxMessage.filter_by(attempts__ge=0).count()


async def due_in_s(row_id: UUID) -> float:
    """How long until a row is due, by the database's clock."""
    for bound in (0.0, 1.5, 5.5, 15.5, 31.0, 61.0, 121.0, 241.0):
        if await OutboxMessage.filter_by(id=row_id, visible_at__le=utc_now(bound)).exists():
            return bound
    return float("inf")


async def let_time_pass(seconds: float) -> None:
    """Make every time in the table that much older."""
    for row in await OutboxMessage.filter_by(attempts__ge=0).all():
        earlier = {
            name: _earlier(getattr(row, name), seconds) for name in ("visible_at", "published_at", "claimed_until")
        }
        await OutboxMessage.filter_by(id=row.id).update(**earlier)


def _earlier(at: datetime | None, seconds: float) -> datetime | None:
    return None if at is None else at - timedelta(seconds=seconds)
