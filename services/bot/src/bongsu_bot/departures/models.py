"""Guilds that somebody had the bot leave: each request once."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, BaseModel, UTCDateTime, UUIDKey


class Departure(BaseModel):
    """A request to leave a guild. Without `left_at` somebody is at it, until `claimed_until`."""

    __tablename__ = "departures"
    __owner__: ClassVar[str] = "bot"

    actor_id: Mapped[UUID] = mapped_column(UUIDKey())
    idempotency_key: Mapped[str] = mapped_column(AsciiKey(128))
    guild_id: Mapped[int] = mapped_column(BigInteger)
    claimed_until: Mapped[datetime] = mapped_column(UTCDateTime())
    left_at: Mapped[datetime | None] = mapped_column(UTCDateTime())

    __table_args__ = (UniqueConstraint("actor_id", "idempotency_key", name="uq_departures_key"),)
