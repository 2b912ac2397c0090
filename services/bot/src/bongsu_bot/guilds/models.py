"""The table of guilds that the bot is or was in."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.contracts.guilds import GuildStatus
from bongsu.mixins import AsciiKey, Base, CRUDMixin, ReprMixin, TimestampMixin, UTCDateTime


class Guild(CRUDMixin, ReprMixin, TimestampMixin, Base):
    """A guild; `id` is Discord's."""

    __tablename__ = "guilds"
    __owner__: ClassVar[str] = "bot"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, sort_order=-900)
    name: Mapped[str] = mapped_column(String(100))
    icon: Mapped[str | None] = mapped_column(AsciiKey(64))
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    member_count: Mapped[int | None] = mapped_column(Integer)
    status: Mapped[GuildStatus] = mapped_column(AsciiKey(16))
    joined_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    left_at: Mapped[datetime | None] = mapped_column(UTCDateTime())

    __table_args__ = (Index("ix_guilds_status", "status", "id"),)
