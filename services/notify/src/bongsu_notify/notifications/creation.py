"""How a notification is created: its row, its first event and its wake-up, in the caller's transaction."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from bongsu import outbox
from bongsu.mixins import utc_now, write_keys, written
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.wakeups import wake_up

STATEMENT_LENGTH: Final = 1_000_000
"""How many characters of content an insert has; a single notification may have more."""
Row = Mapping[str, Any]
"""The columns of a new notification."""
_CLOCK = select(utc_now())
_STORED: Final = select(Notification.id).where(Notification.id.op("IN")(written("ids", write_keys)))


async def read_clock() -> datetime:
    """The database's time."""
    # The clock has no model.
    return (await Notification.database().scoped_session().scalars(_CLOCK)).one()


async def insert(rows: Sequence[Row], now: datetime) -> Collection[UUID]:
    """Insert the notifications whose idempotency key is free, and return their ids.

    :param rows: in an order that concurrent callers share, so that they meet no deadlock.
    :param now: the database's time.
    """
    for part in _split([{**row, "created_at": now, "updated_at": now} for row in rows]):
        await Notification.upsert(part, by=("principal", "idempotency_key"), update=[], savepoint=False)
    # SQL of its own: building it for each transaction takes longer than the database does.
    stored = await Notification.database().scoped_session().scalars(_STORED, {"ids": [row["id"] for row in rows]})
    return {*stored}


async def announce(rows: Sequence[Row], now: datetime) -> None:
    """Write the first events and the wake-ups of notifications that were inserted.

    :param now: the database's time.
    """
    await NotificationEvent.bulk_create(
        [{"notification_id": row["id"], "status": "accepted", "created_at": now, "updated_at": now} for row in rows],
        savepoint=False,
    )
    wake_ups = [wake_up(row["id"], row["channel"], row["priority"], at=row.get("send_at")) for row in rows]
    await outbox.append_many(wake_ups, now=now)


def _split(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Parts for a statement each: MySQL refuses one over `max_allowed_packet`, and breaks the connection."""
    part: list[Row] = []
    length = 0
    for row in rows:
        added = len(str(row.get("content")))
        if part and length + added > STATEMENT_LENGTH:
            yield part
            part, length = [], 0
        part.append(row)
        length += added
    yield part
