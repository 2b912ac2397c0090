"""The table of guilds that the bot must not be in."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import Base, CRUDMixin, ReprMixin, TimestampMixin, UUIDKey

MAX_REASON_CHARS = 200


class BlockedGuild(CRUDMixin, ReprMixin, TimestampMixin, Base):
    """A guild that administrators of the project have blocked; `id` is Discord's. `blocked_by` is who did."""

    __tablename__ = "blocked_guilds"
    __owner__: ClassVar[str] = "bot"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, sort_order=-900)
    reason: Mapped[str] = mapped_column(String(MAX_REASON_CHARS))
    blocked_by: Mapped[UUID | None] = mapped_column(UUIDKey())
