"""The notification: its content, its recipient and where it stands. The row is the truth; messages carry its id."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from bongsu.contracts.queues import Priority
from bongsu.mixins import AsciiKey, BaseModel, Json, UTCDateTime, UUIDKey
from bongsu_notify.notifications.statuses import Guarantee, Status

LONG_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")


class NotifyModel(BaseModel):
    """The base of notify's tables."""

    __abstract__ = True
    __owner__: ClassVar[str] = "notify"


class Notification(NotifyModel):
    """One message to one recipient.

    Its bodies may take megabytes, and only who sends it needs them: no object has them that was read from the
    database. `Query.values_list` reads them.
    """

    __tablename__ = "notifications"

    user_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    principal: Mapped[str] = mapped_column(AsciiKey(48))
    idempotency_key: Mapped[str | None] = mapped_column(AsciiKey(255))
    fingerprint: Mapped[str | None] = mapped_column(AsciiKey(64))
    mode: Mapped[str] = mapped_column(AsciiKey(8), default="live")

    channel: Mapped[str] = mapped_column(AsciiKey(16))
    recipient: Mapped[str] = mapped_column(AsciiKey(320))
    recipient_name: Mapped[str | None] = mapped_column(String(200))
    sender: Mapped[str | None] = mapped_column(String(560))
    reply_to: Mapped[str | None] = mapped_column(AsciiKey(320))

    template: Mapped[str | None] = mapped_column(AsciiKey(64))
    locale: Mapped[str] = mapped_column(AsciiKey(8), default="ko")
    sealed_variables: Mapped[str | None] = mapped_column(LONG_TEXT, deferred=True, deferred_raiseload=True)
    subject: Mapped[str | None] = mapped_column(String(998))
    text: Mapped[str | None] = mapped_column(LONG_TEXT, deferred=True, deferred_raiseload=True)
    html: Mapped[str | None] = mapped_column(LONG_TEXT, deferred=True, deferred_raiseload=True)

    category: Mapped[str] = mapped_column(AsciiKey(16), default="transactional")
    topic: Mapped[str | None] = mapped_column(AsciiKey(64))
    priority: Mapped[Priority] = mapped_column(AsciiKey(8), default="normal")
    guarantee: Mapped[Guarantee] = mapped_column(AsciiKey(16), default="at-least-once")
    send_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    details: Mapped[dict[str, object]] = mapped_column(Json(), default=dict)
    """The caller's `metadata` (SQLAlchemy keeps that name for itself)."""

    status: Mapped[Status] = mapped_column(AsciiKey(16), default="accepted")
    attempt: Mapped[int] = mapped_column(SmallInteger, default=0)
    lease_owner: Mapped[UUID | None] = mapped_column(UUIDKey())
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    next_attempt_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    provider_message_id: Mapped[str | None] = mapped_column(AsciiKey(128))
    error_code: Mapped[str | None] = mapped_column(AsciiKey(64))
    error_detail: Mapped[str | None] = mapped_column(String(500))

    __table_args__ = (
        UniqueConstraint("principal", "idempotency_key", name="uq_notifications_idempotency"),
        # Keys are UUIDv7, so these are also in order of time: each list is one range of one index.
        Index("ix_notifications_user", "user_id", "id"),
        Index("ix_notifications_user_status", "user_id", "status", "id"),
        Index("ix_notifications_user_recipient", "user_id", "recipient", "id"),
        Index("ix_notifications_user_topic", "user_id", "topic", "id"),
        Index("ix_notifications_user_channel", "user_id", "channel", "id"),
        # The staff's lists are of everybody's.
        Index("ix_notifications_status", "status", "id"),
        Index("ix_notifications_recipient", "recipient", "id"),
        Index("ix_notifications_topic", "topic", "id"),
        Index("ix_notifications_channel", "channel", "id"),
    )


class NotificationEvent(NotifyModel):
    """One step of a notification's timeline."""

    __tablename__ = "notification_events"

    notification_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("notifications.id", ondelete="CASCADE"))
    status: Mapped[Status] = mapped_column(AsciiKey(16))
    attempt: Mapped[int] = mapped_column(SmallInteger, default=0)
    detail: Mapped[str | None] = mapped_column(String(500))

    __table_args__ = (Index("ix_notification_events_notification", "notification_id", "id"),)


class RetryKey(NotifyModel):
    """The `Idempotency-Key` of a retry. A submission's is in the notification that it made."""

    __tablename__ = "notification_retry_keys"

    principal: Mapped[str] = mapped_column(AsciiKey(48))
    idempotency_key: Mapped[str] = mapped_column(AsciiKey(255))
    notification_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("notifications.id", ondelete="CASCADE"))

    __table_args__ = (
        UniqueConstraint("principal", "idempotency_key", name="uq_notification_retry_keys_idempotency"),
        Index("ix_notification_retry_keys_notification", "notification_id"),
    )
