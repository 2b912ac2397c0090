"""Second factors of accounts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.identity.models import AuthModel
from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey


class TotpFactor(AuthModel):
    """A secret shared with an authenticator app. `User.mfa_enabled_at` is set once its first code was right."""

    __tablename__ = "totp_factors"

    user_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("users.id", ondelete="CASCADE"))
    sealed_secret: Mapped[str] = mapped_column(Text)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    """The time step of the last code that was used: neither it nor an earlier one works again."""

    __table_args__ = (UniqueConstraint("user_id", name="uq_totp_factors_user"),)


class RecoveryCode(AuthModel):
    """A code in place of the app's. The row is deleted when it is used."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("users.id", ondelete="CASCADE"))
    code_digest: Mapped[str] = mapped_column(AsciiKey(64))

    __table_args__ = (UniqueConstraint("user_id", "code_digest", name="uq_recovery_codes_user_code"),)


class MfaChallenge(AuthModel):
    """A sign-in that waits for the second factor. The row is deleted when it is used."""

    __tablename__ = "mfa_challenges"

    user_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("users.id", ondelete="CASCADE"))
    token_digest: Mapped[str] = mapped_column(AsciiKey(64))
    provider: Mapped[str | None] = mapped_column(AsciiKey(16))
    """The provider whose account signs in; None after a password."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("token_digest", name="uq_mfa_challenges_token_digest"),
        Index("ix_mfa_challenges_user", "user_id"),
        Index("ix_mfa_challenges_expires", "expires_at"),
    )
