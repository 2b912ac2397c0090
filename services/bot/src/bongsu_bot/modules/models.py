"""The table of modules that guilds have set."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.contracts.rpc import ModuleName
from bongsu.mixins import AsciiKey, BaseModel, UUIDKey


class GuildModule(BaseModel):
    """A module of a guild, as `changed_by` has set it."""

    __tablename__ = "guild_modules"
    __owner__: ClassVar[str] = "bot"

    guild_id: Mapped[int] = mapped_column(BigInteger)
    module: Mapped[ModuleName] = mapped_column(AsciiKey(16))
    enabled: Mapped[bool] = mapped_column(Boolean)
    channel_id: Mapped[int | None] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(Integer)
    changed_by: Mapped[UUID | None] = mapped_column(UUIDKey())
    """None once the account is deleted."""
    idempotency_key: Mapped[str] = mapped_column(AsciiKey(128))

    __table_args__ = (UniqueConstraint("guild_id", "module", name="uq_guild_modules_module"),)
