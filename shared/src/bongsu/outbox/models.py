"""The outbox: a row for each message, from the transaction that appends it until its consumer settles it."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Integer, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, BaseModel, Json, UTCDateTime

LANES = (0, 1, 2)
"""The relay publishes the lowest first."""


class OutboxMessage(BaseModel):
    """A message to publish. Its ID is also the broker message's ID.

    It is due when `visible_at` (by the database's clock) has passed. The relay that claims it moves `visible_at`
    forward, so the message is due again if the relay, the broker or the consumer loses it.
    """

    __tablename__ = "outbox"
    __owner__: ClassVar[str] = "outbox"

    lane: Mapped[int] = mapped_column(SmallInteger)
    queue: Mapped[str] = mapped_column(AsciiKey(128))
    body: Mapped[dict[str, Any]] = mapped_column(Json())
    headers: Mapped[dict[str, str]] = mapped_column(Json())
    visible_at: Mapped[datetime] = mapped_column(UTCDateTime())
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """When the broker last confirmed it; None before that, and after it was postponed."""
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """Set while a relay is publishing it; the relay identifies its own claim by it."""
    attempts: Mapped[int] = mapped_column(Integer)
    """How often the broker has refused it since its last confirm."""
    strandings: Mapped[int] = mapped_column(Integer)
    """How often it was published and not settled in time, since it was appended or postponed."""

    __table_args__ = (Index("ix_outbox_due", "lane", "visible_at", "id"),)
