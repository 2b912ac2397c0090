"""Subscriptions of Discord servers to topics."""

from uuid import UUID

from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, UUIDKey
from bongsu_notify.notifications.models import NotifyModel


class Subscription(NotifyModel):
    """A channel gets the notifications to a topic of `owner_id`. A manager of the server, `created_by`, made it.

    The names are those at the time of the subscription.
    """

    __tablename__ = "notification_subscriptions"

    owner_id: Mapped[UUID] = mapped_column(UUIDKey())
    topic: Mapped[str] = mapped_column(AsciiKey(64))
    guild_id: Mapped[int] = mapped_column(BigInteger)
    guild_name: Mapped[str] = mapped_column(String(100))
    channel_id: Mapped[int] = mapped_column(BigInteger)
    channel_name: Mapped[str] = mapped_column(String(100))
    created_by: Mapped[UUID] = mapped_column(UUIDKey())

    @property
    def owner(self) -> UUID:
        """The name of `owner_id` in the API."""
        return self.owner_id

    __table_args__ = (
        UniqueConstraint("owner_id", "topic", "channel_id", name="uq_notification_subscriptions_channel"),
        Index("ix_notification_subscriptions_owner", "owner_id", "id"),
        Index("ix_notification_subscriptions_guild", "guild_id", "id"),
    )


class SubscriptionLock(NotifyModel):
    """A row for a server or an owner of topics, locked while a subscription is made: so their limits are exact."""

    __tablename__ = "notification_subscription_locks"

    scope: Mapped[str] = mapped_column(AsciiKey(64))

    __table_args__ = (UniqueConstraint("scope", name="uq_notification_subscription_locks_scope"),)
