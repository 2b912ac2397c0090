"""Relays a notification to the channels that subscribed to its topic: a notification of its own for each."""

from collections.abc import Mapping, Sequence
from typing import Final

from bongsu.mixins import uuid7
from bongsu_notify.channels.port import Outcome, Sent
from bongsu_notify.notifications.claimed import Deliverable
from bongsu_notify.notifications.creation import announce, insert, read_clock
from bongsu_notify.notifications.models import Notification
from bongsu_notify.subscriptions.models import Subscription

CHUNK_ROWS: Final = 100


async def relay(parent: Deliverable, topic: str, content: Mapping[str, object]) -> Outcome:
    """Make a notification for each channel that subscribed, in one transaction.

    A repetition makes none again: parent and channel are the children's idempotency key.
    """
    async with Notification.database().unit():
        subscriptions: Sequence[Subscription] = (
            await Subscription.filter_by(owner_id=parent.user_id, topic=topic).order_by("id").all()
        )
        for start in range(0, len(subscriptions), CHUNK_ROWS):
            await _make(parent, content, subscriptions[start : start + CHUNK_ROWS])
    count = len(subscriptions)
    return Sent(f"relay-{parent.id.hex}", "delivered", f"relayed to {count} {'channel' if count == 1 else 'channels'}")


async def _make(parent: Deliverable, content: Mapping[str, object], subscriptions: Sequence[Subscription]) -> None:
    rows = [
        {
            "id": uuid7(),
            "user_id": parent.user_id,
            "principal": f"relay:{parent.id.hex}",
            "idempotency_key": str(one.channel_id),
            "mode": parent.mode,
            "channel": parent.channel,
            "recipient": str(one.channel_id),
            "to": {"channel_id": str(one.channel_id)},
            "sender": f"subscription:{one.id}",
            "subject": parent.subject,
            "content": dict(content),
            "category": parent.category,
            "topic": one.topic,
            "priority": parent.priority,
            "guarantee": parent.guarantee,
            "expires_at": parent.expires_at,
            "details": parent.details,
            "status": "accepted",
            "attempt": 0,
        }
        for one in subscriptions
    ]
    now = await read_clock()
    made = await insert(rows, now)
    await announce([row for row in rows if row["id"] in made], now)
