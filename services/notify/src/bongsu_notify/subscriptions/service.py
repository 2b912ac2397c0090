"""Subscriptions of Discord servers to topics. Every function runs in the caller's unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from bongsu.contracts.audit import AuditAction
from bongsu.contracts.rpc import ChannelAuthority, guild_target
from bongsu.identity import audit
from bongsu.identity.models import User
from bongsu.mixins import utc_now, uuid7
from bongsu.runtime.id_pages import page_by_id
from bongsu_notify.errors import SubscriptionNotFound, TooManySubscriptions, TopicOwnerUnknown
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.subscriptions.models import Subscription, SubscriptionLock

MAX_OF_GUILD: Final = 100
MAX_OF_TOPIC: Final = 1000


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list; None does not filter."""

    guild_id: int | None = None
    topic: str | None = None


def owner_scope(owner_id: UUID) -> str:
    """The scope of the lock of an owner's topics."""
    return f"owner:{owner_id}"


async def find_for_channel(owner_id: UUID, topic: str | None, channel_id: int) -> Subscription | None:
    """The subscription by which the owner of a topic may post into a channel."""
    if topic is None:
        return None
    return await Subscription.filter_by(owner_id=owner_id, topic=topic, channel_id=channel_id).first()


async def subscribe(principal: Principal, channel: ChannelAuthority, *, owner_id: UUID, topic: str) -> Subscription:
    """Subscribe a channel, whose server the principal manages, to a topic. Return the subscription, new or not.

    :raises TopicOwnerUnknown: no such user.
    :raises TooManySubscriptions: the server, or the topic, has as many as it may have.
    """
    if await User.get_or_none(owner_id) is None:
        raise TopicOwnerUnknown
    ones = Subscription.filter_by(owner_id=owner_id, topic=topic, channel_id=channel.channel_id)
    if (known := await ones.first()) is not None:
        return known
    # Always in this order: two requests that lock both meet no deadlock.
    for scope in (f"guild:{channel.guild_id}", owner_scope(owner_id)):
        await SubscriptionLock.get_or_create(scope=scope)
        await SubscriptionLock.filter_by(scope=scope).lock().one()
    if await Subscription.filter_by(guild_id=channel.guild_id).count() >= MAX_OF_GUILD:
        raise TooManySubscriptions(f"A server has at most {MAX_OF_GUILD} subscriptions")
    if await Subscription.filter_by(owner_id=owner_id, topic=topic).count() >= MAX_OF_TOPIC:
        raise TooManySubscriptions(f"A topic has at most {MAX_OF_TOPIC:,} subscriptions")
    row = {
        "id": uuid7(),
        "owner_id": owner_id,
        "topic": topic,
        "guild_id": channel.guild_id,
        "guild_name": channel.guild_name[:100],
        "channel_id": channel.channel_id,
        "channel_name": channel.channel_name[:100],
        "created_by": principal.user_id,
        "created_at": utc_now(),
        "updated_at": utc_now(),
    }
    await Subscription.upsert([row], by=("owner_id", "topic", "channel_id"), update=[])
    made = await ones.one()
    if made.id == row["id"]:
        await _audit("subscription.created", made, principal)
    return made


async def list_page(
    principal: Principal, filters: Filters, *, limit: int, after: UUID | None
) -> tuple[Sequence[Subscription], UUID | None]:
    """A page, newest first, and the id to continue after (None at the end).

    Without a guild, those of the principal's topics. The caller has checked that the principal manages the guild.
    """
    rows = Subscription.query()
    if filters.guild_id is None:
        rows = rows.filter_by(owner_id=principal.user_id)
    else:
        rows = rows.filter_by(guild_id=filters.guild_id)
    if filters.topic is not None:
        rows = rows.filter_by(topic=filters.topic)
    return await page_by_id(rows, limit=limit, after=after)


async def find(subscription_id: UUID) -> Subscription:
    """:raises SubscriptionNotFound: it does not exist."""
    found = await Subscription.get_or_none(subscription_id)
    if found is None:
        raise SubscriptionNotFound
    return found


async def unsubscribe(principal: Principal, subscription_id: UUID) -> None:
    """Remove a subscription. The caller has checked that the principal may.

    :raises SubscriptionNotFound: it does not exist.
    """
    found = await find(subscription_id)
    await Subscription.filter_by(id=subscription_id).delete()
    await _audit("subscription.removed", found, principal)


async def _audit(action: AuditAction, one: Subscription, principal: Principal) -> None:
    await audit.record(
        action,
        principal.actor,
        subject_id=one.owner_id,
        target=guild_target(one.guild_id),
        details={"topic": one.topic, "channel_id": str(one.channel_id)},
    )
