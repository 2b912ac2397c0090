"""Addresses that get no more mail."""

from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, UUIDKey
from bongsu_notify.notifications.models import NotifyModel

SYSTEM = UUID(int=0)
"""The owner of the suppressions of mails that no user sent."""


class Suppression(NotifyModel):
    """An address that gets no more mail of a user.

    :param reason: `bounce`, `complaint` or `manual`.
    :param notification_id: whose bounce or complaint it was.
    """

    __tablename__ = "notification_suppressions"

    user_id: Mapped[UUID] = mapped_column(UUIDKey())
    recipient: Mapped[str] = mapped_column(AsciiKey(320))
    reason: Mapped[str] = mapped_column(AsciiKey(16))
    notification_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    detail: Mapped[str | None] = mapped_column(String(500))

    __table_args__ = (
        UniqueConstraint("user_id", "recipient", name="uq_notification_suppressions_recipient"),
        Index("ix_notification_suppressions_user", "user_id", "id"),
        # Staff search the lists of all users.
        Index("ix_notification_suppressions_recipient", "recipient", "id"),
    )
