"""The table of commands that guilds have switched off."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, BaseModel, UUIDKey


class GuildCommandSettings(BaseModel):
    """The commands and groups that are off in a guild, by name, as `changed_by` has set them."""

    __tablename__ = "guild_commands"
    __owner__: ClassVar[str] = "bot"

    guild_id: Mapped[int] = mapped_column(BigInteger)
    off: Mapped[list[str]] = mapped_column(JSON())
    revision: Mapped[int] = mapped_column(Integer)
    changed_by: Mapped[UUID | None] = mapped_column(UUIDKey())
    """None once the account is deleted."""
    idempotency_key: Mapped[str] = mapped_column(AsciiKey(128))

    __table_args__ = (UniqueConstraint("guild_id", name="uq_guild_commands_guild_id"),)
