"""What services do with the outbox, inside their own transactions. Each function needs an open unit of work."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import case

from bongsu.mixins import Q, utc_now, uuid7
from bongsu.outbox.models import LANES, OutboxMessage

_NOW = utc_now()  # once: making it takes as long as a third of the statement
_wake_ups: set[asyncio.Event] = set()


async def append(  # noqa: PLR0913 - each is one fact about the message
    queue: str,
    body: Mapping[str, JsonValue],
    *,
    lane: int = 1,
    delay_s: float = 0.0,
    at: datetime | None = None,
    headers: Mapping[str, str] | None = None,
    id: UUID | None = None,  # noqa: A002 - it is the message's id
) -> UUID:
    """Want a message published once this transaction commits.

    :param lane: 0, 1 or 2: the relay takes the lowest first.
    :param delay_s: not before so many seconds from now, by the database's clock.
    :param at: not before this time (aware), whatever `delay_s`; in the past it means at once.
    :returns: the message's id, which its consumer settles or postpones.
    """
    if lane not in LANES:
        raise ValueError(f"Lane {lane} does not exist; there are {LANES}")
    message_id = id or uuid7()
    row = {
        "id": message_id,
        "lane": lane,
        "queue": queue,
        "body": body,
        "headers": dict(headers or {}),
        "visible_at": at if at is not None else utc_now(delay_s) if delay_s else _NOW,
        "published_at": None,
        "claimed_until": None,
        "attempts": 0,
        "strandings": 0,
    }
    # Written as rows and not as an object: an object would read its `visible_at` back, by a second statement.
    await OutboxMessage.bulk_create([row])
    _nudge_on_commit()
    return message_id


async def settle(ids: Sequence[UUID]) -> int:
    """The consumer is done with these, or has given them up for good: they go. Ids that are not there count as done.

    :returns: how many were there.
    """
    return await OutboxMessage.filter_by(id__in=list(ids)).delete() if ids else 0


async def postpone(delays_s: Mapping[UUID, float]) -> int:
    """The consumer wants these again later: the same messages, each after so many seconds by the database's clock.

    :returns: how many were there.
    """
    if not delays_s:
        return 0
    visible_at = case(*((OutboxMessage.id == key, utc_now(delay_s)) for key, delay_s in delays_s.items()))
    return await OutboxMessage.filter_by(id__in=list(delays_s)).update(
        visible_at=visible_at, published_at=None, claimed_until=None, strandings=0
    )


async def release() -> int:
    """Make everything due that a relay took or published: for when there is no other relay and the broker is empty.

    :returns: how many.
    """
    taken = Q(published_at__isnull=False) | Q(claimed_until__isnull=False)
    return await OutboxMessage.filter_by(taken).update(visible_at=utc_now(), published_at=None, claimed_until=None)


def nudge() -> None:
    """Wake the relays of this process; those of others find the row at their next poll."""
    for event in _wake_ups:
        event.set()


def wake_up() -> asyncio.Event:
    """An event that `nudge` sets, until it is given to `forget`."""
    event = asyncio.Event()
    _wake_ups.add(event)
    return event


def forget(event: asyncio.Event) -> None:
    """Set an event of `wake_up` no more."""
    _wake_ups.discard(event)


def _nudge_on_commit() -> None:
    unit = OutboxMessage.database().ambient()
    if unit is not None and _wake_ups:
        unit.on_commit(nudge)
