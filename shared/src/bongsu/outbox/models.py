"""The outbox: one durable message a row, from the transaction that wants it sent until its consumer has settled it."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Integer, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, BaseModel, Json, UTCDateTime

LANES = (0, 1, 2)
"""The relay takes the lowest first."""


class OutboxMessage(BaseModel):
    """A message on its way. Its id is the broker message's id.

    It is due when `visible_at` (the database's clock) has passed: the relay then takes it and moves `visible_at` on, so
    that it comes back by itself if the relay, the broker or the consumer loses it.
    """

    __tablename__ = "outbox"
    __owner__: ClassVar[str] = "outbox"

    lane: Mapped[int] = mapped_column(SmallInteger)
    queue: Mapped[str] = mapped_column(AsciiKey(128))
    body: Mapped[dict[str, Any]] = mapped_column(Json())
    headers: Mapped[dict[str, str]] = mapped_column(Json())
    visible_at: Mapped[datetime] = mapped_column(UTCDateTime())
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """When the broker last confirmed it; None: not yet, or it was postponed since."""
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """Set while a relay is publishing it; the relay recognises its own claim by it."""
    attempts: Mapped[int] = mapped_column(Integer)
    """How often the broker refused it since it was last confirmed."""
    strandings: Mapped[int] = mapped_column(Integer)
    """How often it was published and not settled in time, since it was appended or postponed."""

    __table_args__ = (Index("ix_outbox_due", "lane", "visible_at", "id"),)
