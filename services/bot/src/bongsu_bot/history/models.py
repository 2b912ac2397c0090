"""The tables of the changes of guilds, and of the commands that were used in them."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.contracts.rpc import CommandOutcome
from bongsu.mixins import AsciiKey, BaseModel, UUIDKey


class GuildChangeEntry(BaseModel):
    """A change of a guild. `actor_id` is the user who asked for it."""

    __tablename__ = "guild_changes"
    __owner__: ClassVar[str] = "bot"

    guild_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(AsciiKey(32))
    actor_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    detail: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (Index("ix_guild_changes_guild", "guild_id", "id"),)


class CommandUseEntry(BaseModel):
    """A use of a slash command in a guild, without the person who used it."""

    __tablename__ = "command_uses"
    __owner__: ClassVar[str] = "bot"

    guild_id: Mapped[int] = mapped_column(BigInteger)
    command: Mapped[str] = mapped_column(AsciiKey(100))
    outcome: Mapped[CommandOutcome] = mapped_column(AsciiKey(16))

    __table_args__ = (Index("ix_command_uses_guild", "guild_id", "created_at"),)
