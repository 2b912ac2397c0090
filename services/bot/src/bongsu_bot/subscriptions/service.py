"""Subscriptions of a server over notify's API, with the authority of a linked user."""

from dataclasses import dataclass
from uuid import UUID

from bongsu.contracts.guilds import Snowflake
from bongsu.contracts.wire import Wire
from bongsu_bot.apis import LinkedUser
from bongsu_bot.errors import SubscriptionUnknown

PAGE = 10
_PATH = "/v1/subscriptions"


class Subscription(Wire):
    """A channel that gets the notifications to a topic."""

    id: UUID
    topic: str
    owner: UUID
    channel_id: Snowflake


class SubscriptionPage(Wire):
    """A page, newest first, and the cursor of the following one."""

    items: list[Subscription]
    next: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of a server."""

    guild_id: int
    channel_id: int


async def subscribe(user: LinkedUser, place: Place, topic: str, owner: UUID | None) -> Subscription:
    """Subscribe a channel to a topic; once, however often it is called.

    :param owner: the ID of the topic's owner; None for the user.
    :raises Forbidden: the user does not manage the server.
    :raises NotFound: no account has the ID of the owner.
    """
    body: dict[str, str] = {
        "topic": topic,
        "guild_id": str(place.guild_id),
        "channel_id": str(place.channel_id),
    }
    if owner is not None:
        body["owner"] = str(owner)
    return await user.call("notify", "POST", _PATH, Subscription, body=body)


async def list_page(
    user: LinkedUser, guild_id: int, *, after: str | None, topic: str | None = None
) -> SubscriptionPage:
    """Return a page of a server's subscriptions.

    :raises Forbidden: the user does not manage the server.
    """
    filters = {"guild_id": str(guild_id), "topic": topic, "after": after, "limit": str(PAGE)}
    query = {name: value for name, value in filters.items() if value is not None}
    return await user.call("notify", "GET", _PATH, SubscriptionPage, query=query)


async def unsubscribe(user: LinkedUser, place: Place, topic: str) -> int:
    """Remove a channel's subscriptions to a topic, of whichever owner; return how many.

    :raises NotFound: there are none.
    :raises Forbidden: the user does not manage the server.
    """
    removed = 0
    after: str | None = None
    while True:
        page = await list_page(user, place.guild_id, after=after, topic=topic)
        for one in page.items:
            if one.channel_id == place.channel_id:
                await user.delete("notify", f"{_PATH}/{one.id}")
                removed += 1
        if page.next is None:
            break
        after = page.next
    if not removed:
        raise SubscriptionUnknown
    return removed
