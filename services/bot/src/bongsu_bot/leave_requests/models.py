"""The table of leave requests."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, BaseModel, UTCDateTime, UUIDKey


class LeaveRequest(BaseModel):
    """A user's request to leave a guild. While `left_at` is null, a process holds it until `claimed_until`."""

    __tablename__ = "leave_requests"
    __owner__: ClassVar[str] = "bot"

    actor_id: Mapped[UUID] = mapped_column(UUIDKey())
    idempotency_key: Mapped[str] = mapped_column(AsciiKey(128))
    guild_id: Mapped[int] = mapped_column(BigInteger)
    claimed_until: Mapped[datetime] = mapped_column(UTCDateTime())
    left_at: Mapped[datetime | None] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("actor_id", "idempotency_key", name="uq_leave_requests_key"),
        Index("ix_leave_requests_guild", "guild_id", "created_at"),
    )
