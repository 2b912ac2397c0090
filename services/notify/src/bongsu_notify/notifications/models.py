"""The notification: content, recipient and status. The row is the truth; messages carry its id."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Double, ForeignKey, Index, Integer, SmallInteger, String, UniqueConstraint
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from bongsu.contracts.notifications import Failure, Guarantee, Mode, Status
from bongsu.contracts.queues import Priority
from bongsu.mixins import AsciiKey, BaseModel, Json, UTCDateTime, UUIDKey

LONG_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")


class NotifyModel(BaseModel):
    """The base of notify's tables."""

    __abstract__ = True
    __owner__: ClassVar[str] = "notify"


class Notification(NotifyModel):
    """One message to one recipient.

    `content` and `sealed_variables` may take megabytes and only the worker needs them: loading a row leaves them out,
    and `Query.values_list` reads them.
    """

    __tablename__ = "notifications"

    user_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    principal: Mapped[str] = mapped_column(AsciiKey(48))
    idempotency_key: Mapped[str | None] = mapped_column(AsciiKey(255))
    fingerprint: Mapped[str | None] = mapped_column(AsciiKey(64))
    mode: Mapped[Mode] = mapped_column(AsciiKey(8), default="live")

    channel: Mapped[str] = mapped_column(AsciiKey(16))
    recipient: Mapped[str] = mapped_column(AsciiKey(320))
    """The key that lists filter by: an address, a channel id or a user id."""
    to: Mapped[dict[str, Any]] = mapped_column(Json())
    """The request's `to`, in the channel's own shape."""
    sender: Mapped[str | None] = mapped_column(String(560))
    reply_to: Mapped[str | None] = mapped_column(AsciiKey(320))

    template: Mapped[str | None] = mapped_column(AsciiKey(64))
    locale: Mapped[str] = mapped_column(AsciiKey(8), default="ko")
    sealed_variables: Mapped[str | None] = mapped_column(LONG_TEXT, deferred=True, deferred_raiseload=True)
    subject: Mapped[str | None] = mapped_column(String(998))
    """Shown in lists; None where the channel has none or the template makes it."""
    content: Mapped[dict[str, Any] | None] = mapped_column(Json(), deferred=True, deferred_raiseload=True)
    """The request's `content` in the channel's own shape, without `subject`; None for a template."""

    category: Mapped[str] = mapped_column(AsciiKey(16), default="transactional")
    topic: Mapped[str | None] = mapped_column(AsciiKey(64))
    priority: Mapped[Priority] = mapped_column(AsciiKey(8), default="normal")
    guarantee: Mapped[Guarantee] = mapped_column(AsciiKey(16), default="at-least-once")
    send_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    details: Mapped[dict[str, object]] = mapped_column(Json(), default=dict)
    """The request's `metadata`, a name that SQLAlchemy keeps for itself."""

    status: Mapped[Status] = mapped_column(AsciiKey(16), default="accepted")
    attempt: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Counts every send: (id, attempt) names one call of a provider for good."""
    attempts_before: Mapped[int] = mapped_column(SmallInteger, default=0)
    """The attempts before the last retry by hand, which are not counted against the limit."""
    lease_owner: Mapped[UUID | None] = mapped_column(UUIDKey())
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    next_attempt_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    provider_message_id: Mapped[str | None] = mapped_column(AsciiKey(128))
    error_code: Mapped[str | None] = mapped_column(AsciiKey(64))
    error_detail: Mapped[str | None] = mapped_column(String(500))

    @property
    def error(self) -> Failure | None:
        """Why the last attempt failed."""
        return Failure(code=self.error_code, detail=self.error_detail) if self.error_code else None

    __table_args__ = (
        UniqueConstraint("principal", "idempotency_key", name="uq_notifications_idempotency"),
        # Keys are UUIDv7, so each index is also in order of time: a list is one range of one index.
        Index("ix_notifications_user", "user_id", "id"),
        Index("ix_notifications_user_status", "user_id", "status", "id"),
        Index("ix_notifications_user_recipient", "user_id", "recipient", "id"),
        Index("ix_notifications_user_topic", "user_id", "topic", "id"),
        Index("ix_notifications_user_channel", "user_id", "channel", "id"),
        # Lists of staff are not narrowed to a user.
        Index("ix_notifications_status", "status", "id"),
        Index("ix_notifications_recipient", "recipient", "id"),
        Index("ix_notifications_topic", "topic", "id"),
        Index("ix_notifications_channel", "channel", "id"),
    )


class NotificationEvent(NotifyModel):
    """One entry of a notification's timeline."""

    __tablename__ = "notification_events"

    notification_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("notifications.id", ondelete="CASCADE"))
    status: Mapped[Status] = mapped_column(AsciiKey(16))
    attempt: Mapped[int] = mapped_column(SmallInteger, default=0)
    detail: Mapped[str | None] = mapped_column(String(500))

    @property
    def at(self) -> datetime:
        """When the notification took on the status."""
        return self.created_at

    __table_args__ = (Index("ix_notification_events_notification", "notification_id", "id"),)


class RetryKey(NotifyModel):
    """The `Idempotency-Key` of a retry. The notification itself has the key of the request that made it."""

    __tablename__ = "notification_retry_keys"

    principal: Mapped[str] = mapped_column(AsciiKey(48))
    idempotency_key: Mapped[str] = mapped_column(AsciiKey(255))
    notification_id: Mapped[UUID | None] = mapped_column(UUIDKey(), ForeignKey("notifications.id", ondelete="CASCADE"))
    """What was retried: of many, the first; None if none could be."""
    fingerprint: Mapped[str | None] = mapped_column(AsciiKey(64))
    """Of a retry of many: the request. `retried` and `following` are its answer."""
    retried: Mapped[int | None] = mapped_column(Integer)
    following: Mapped[UUID | None] = mapped_column(UUIDKey())

    __table_args__ = (
        UniqueConstraint("principal", "idempotency_key", name="uq_notification_retry_keys_idempotency"),
        Index("ix_notification_retry_keys_notification", "notification_id"),
    )


class SendSlot(NotifyModel):
    """When the next message may go out by a provider, by the database's clock: a row a provider, for all workers.

    :param slowdown: the fraction of the rate that was used after the last throttling, at `slowed_at`.
    """

    __tablename__ = "notification_send_slots"

    provider: Mapped[str] = mapped_column(AsciiKey(16))
    next_at: Mapped[datetime] = mapped_column(UTCDateTime())
    slowed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    slowdown: Mapped[float] = mapped_column(Double, default=1.0)

    __table_args__ = (UniqueConstraint("provider", name="uq_notification_send_slots_provider"),)
