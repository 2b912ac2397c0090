"""The codes that API clients exchange for tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.identity.models import AuthModel
from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey


class OAuthCode(AuthModel):
    """A code for one user and one client. The exchange deletes the row, so it works once."""

    __tablename__ = "oauth_codes"

    code_digest: Mapped[str] = mapped_column(AsciiKey(64))
    user_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(AsciiKey(16))
    code_challenge: Mapped[str] = mapped_column(AsciiKey(64))
    """The client's (PKCE, S256)."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("code_digest", name="uq_oauth_codes_code_digest"),
        Index("ix_oauth_codes_user", "user_id"),
        Index("ix_oauth_codes_expires", "expires_at"),
    )
