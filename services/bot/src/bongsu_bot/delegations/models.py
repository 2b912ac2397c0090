"""The table of roles that may manage modules."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, BaseModel, UUIDKey


class GuildDelegation(BaseModel):
    """The role of a guild that may manage its modules, as `changed_by` has set it. None: no role any more."""

    __tablename__ = "guild_delegations"
    __owner__: ClassVar[str] = "bot"

    guild_id: Mapped[int] = mapped_column(BigInteger)
    role_id: Mapped[int | None] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(Integer)
    changed_by: Mapped[UUID | None] = mapped_column(UUIDKey())
    """None once the account is deleted."""
    idempotency_key: Mapped[str] = mapped_column(AsciiKey(128))

    __table_args__ = (UniqueConstraint("guild_id", name="uq_guild_delegations_guild_id"),)
