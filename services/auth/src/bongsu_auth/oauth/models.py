"""Sign-ins that are under way at a provider."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.identity.models import AuthModel
from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

Flow = Literal["login", "link", "install"]


class OAuthState(AuthModel):
    """What a browser was sent to a provider for. The row is removed by the callback, which only one can do."""

    __tablename__ = "oauth_states"

    state_digest: Mapped[str] = mapped_column(AsciiKey(64))
    browser_digest: Mapped[str] = mapped_column(AsciiKey(64))
    """Of the cookie in the browser that was sent."""
    provider: Mapped[str] = mapped_column(AsciiKey(16))
    flow: Mapped[Flow] = mapped_column(AsciiKey(8))
    user_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    """Who is linking or installing; None for a sign-in."""
    session_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    """The session in which they do."""
    sealed_verifier: Mapped[str] = mapped_column(Text)
    """Of PKCE."""
    nonce: Mapped[str] = mapped_column(AsciiKey(64))
    """Which the provider puts into its ID token."""
    next_path: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("state_digest", name="uq_oauth_states_state_digest"),
        Index("ix_oauth_states_expires", "expires_at"),
    )
