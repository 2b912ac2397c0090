"""Looking at the outbox's rows, and moving them in time."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

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


async def due_in_s(row_id: UUID) -> Any:  # noqa: ANN401 - what pytest.approx() gives
    """The time from the last write of a row until it is due, within what can be known afterwards.

    The write was not before `updated_at` and not after now, however slow the machine is.
    """
    row = await OutboxMessage.get(row_id)
    read = await OutboxMessage.filter_by(id=row_id).aggregate(count=("count", "id"), now=utc_now())
    most_s = (row.visible_at - row.updated_at).total_seconds()
    least_s = (row.visible_at - read["now"]).total_seconds()
    return pytest.approx((most_s + least_s) / 2, abs=(most_s - least_s) / 2 + 0.01)


async def let_time_pass(seconds: float) -> None:
    """Make every time in the table that much older."""
    for row in await OutboxMessage.filter_by(attempts__ge=0).all():
        earlier = {
            name: _earlier(getattr(row, name), seconds) for name in ("visible_at", "published_at", "claimed_until")
        }
        await OutboxMessage.filter_by(id=row.id).update(**earlier)


def _earlier(at: datetime | None, seconds: float) -> datetime | None:
    return None if at is None else at - timedelta(seconds=seconds)
