"""The table of users who added the bot."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import BaseModel, UTCDateTime, UUIDKey


class GuildInstall(BaseModel):
    """The user who last added the bot to a guild, and when."""

    __tablename__ = "guild_installs"
    __owner__: ClassVar[str] = "bot"

    guild_id: Mapped[int] = mapped_column(BigInteger)
    actor_id: Mapped[UUID] = mapped_column(UUIDKey())
    at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (UniqueConstraint("guild_id", name="uq_guild_installs_guild_id"),)
