"""Appends messages to the outbox and settles them. Each function runs inside the caller's unit of work."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol, cast
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import CursorResult, case, delete

from bongsu.broker import Message
from bongsu.mixins import Database, Q, utc_now, uuid7, write_keys, written
from bongsu.outbox.models import LANES, OutboxMessage

_NOW = utc_now()  # built once: building it takes a third of the statement's time
_SETTLE: Final = delete(OutboxMessage).where(OutboxMessage.id.op("IN")(written("ids", write_keys)))
_wake_ups: set[asyncio.Event] = set()


class Publisher(Protocol):
    """Publishes the messages of this process right after their commit; see `bongsu.outbox.publisher`."""

    claim_s: float

    def accepts(self, lane: int, count: int) -> bool:
        """Whether it can publish so many messages of the lane now."""

    def publish(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Publish messages, by queue, whose rows are committed and claimed for `claim_s`."""


_publishers: dict[Database, Publisher] = {}


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to append: `at` is when it is published, by the database's clock; None for now."""

    queue: str
    body: Mapping[str, JsonValue]
    lane: int
    at: datetime | None = None


async def append_many(messages: Sequence[NewMessage], *, now: datetime) -> None:
    """Append messages by one statement, to be published after this transaction commits.

    :param now: the database's time.
    """
    claimed: list[tuple[str, Message]] = []
    rows: list[dict[str, object]] = []
    for message in messages:
        publisher = _find_publisher(message.lane, len(messages)) if message.at is None else None
        until = now + timedelta(seconds=publisher.claim_s) if publisher is not None else None
        row_id = uuid7()
        rows.append(
            {
                "id": row_id,
                "lane": message.lane,
                "queue": message.queue,
                "body": message.body,
                "headers": {},
                "visible_at": until or message.at or now,
                "published_at": None,
                "claimed_until": until,
                "attempts": 0,
                "strandings": 0,
            }
        )
        if publisher is not None:
            claimed.append((message.queue, Message(id=str(row_id), body=dict(message.body))))
    await OutboxMessage.bulk_create(rows, savepoint=False)
    _publish_on_commit(claimed, wakes_relay=len(claimed) < len(rows))


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
    """Append a message, to be published after this transaction commits.

    :param lane: 0, 1 or 2; the relay publishes the lowest first.
    :param delay_s: publish it after so many seconds, by the database's clock.
    :param at: publish it at this time (aware) instead; a time in the past means now.
    :returns: the message's ID, by which its consumer settles or postpones it.
    """
    if lane not in LANES:
        raise ValueError(f"Lane {lane} does not exist; there are {LANES}")
    message_id = id or uuid7()
    publisher = _find_publisher(lane, 1) if at is None and not delay_s else None
    until = utc_now(publisher.claim_s) if publisher is not None else None
    row = {
        "id": message_id,
        "lane": lane,
        "queue": queue,
        "body": body,
        "headers": dict(headers or {}),
        "visible_at": at if at is not None else until if until is not None else utc_now(delay_s) if delay_s else _NOW,
        "published_at": None,
        "claimed_until": until,
        "attempts": 0,
        "strandings": 0,
    }
    # As a row: an object would read `visible_at` back with a second statement.
    await OutboxMessage.bulk_create([row])
    message = Message(id=str(message_id), body=dict(body), headers=dict(headers or {}))
    _publish_on_commit([] if publisher is None else [(queue, message)], wakes_relay=publisher is None)
    return message_id


async def settle(ids: Sequence[UUID]) -> int:
    """Delete messages that their consumer has handled, or will never handle. Unknown IDs are ignored.

    :returns: the number of deleted messages.
    """
    database = OutboxMessage.database()
    if not ids:
        return 0
    unit = database.ambient()
    if unit is None:
        return await database.run(settle, ids)
    # SQL of its own: a worker settles hundreds at a time.
    settled = await unit.session.execute(_SETTLE, {"ids": ids}, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", settled).rowcount


async def postpone(delays_s: Mapping[UUID, float]) -> int:
    """Publish messages again later, each after so many seconds by the database's clock.

    :returns: the number of postponed messages.
    """
    if not delays_s:
        return 0
    visible_at = case(*((OutboxMessage.id == key, utc_now(delay_s)) for key, delay_s in delays_s.items()))
    return await OutboxMessage.filter_by(id__in=list(delays_s)).update(
        visible_at=visible_at, published_at=None, claimed_until=None, strandings=0
    )


async def find_missing(ids: Sequence[UUID]) -> set[UUID]:
    """Find the messages that have no row."""
    return {*ids} - {*await OutboxMessage.filter_by(id__in=sorted(ids)).pluck("id")}


async def release() -> int:
    """Make every claimed or published message due, where no other relay runs and the broker is empty.

    :returns: the number of messages.
    """
    taken = Q(published_at__isnull=False) | Q(claimed_until__isnull=False)
    return await OutboxMessage.filter_by(taken).update(visible_at=utc_now(), published_at=None, claimed_until=None)


def nudge() -> None:
    """Wake the relays of this process; those of other processes find the row when they poll next."""
    for event in _wake_ups:
        event.set()


def add_wake_up() -> asyncio.Event:
    """Create an event that `nudge` sets, until it is passed to `remove_wake_up`."""
    event = asyncio.Event()
    _wake_ups.add(event)
    return event


def remove_wake_up(event: asyncio.Event) -> None:
    """Remove an event of `add_wake_up`."""
    _wake_ups.discard(event)


def add_publisher(database: Database, publisher: Publisher) -> None:
    """Have what this process appends published by `publisher`, until `remove_publisher`."""
    _publishers[database] = publisher


def remove_publisher(database: Database) -> None:
    """Leave what this process appends to the relay."""
    _publishers.pop(database, None)


def _find_publisher(lane: int, count: int) -> Publisher | None:
    """The publisher that takes these messages. Without a unit of work nothing can follow the commit."""
    database = OutboxMessage.database()
    publisher = _publishers.get(database)
    if publisher is None or database.ambient() is None or not publisher.accepts(lane, count):
        return None
    return publisher


def _publish_on_commit(claimed: Sequence[tuple[str, Message]], *, wakes_relay: bool) -> None:
    """After the commit, publish the claimed messages, and wake the relays of this process for the others."""
    database = OutboxMessage.database()
    unit = database.ambient()
    if unit is not None and claimed:
        unit.on_commit(partial(_publishers[database].publish, claimed))
    if unit is not None and wakes_relay and _wake_ups:
        unit.on_commit(nudge)
