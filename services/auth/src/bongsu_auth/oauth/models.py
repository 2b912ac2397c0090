"""Flows that are in progress at a provider."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.identity.models import AuthModel
from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

Flow = Literal["login", "link", "install", "client"]


class OAuthState(AuthModel):
    """The state of a flow. The callback deletes the row, so it works once."""

    __tablename__ = "oauth_states"

    state_digest: Mapped[str] = mapped_column(AsciiKey(64))
    browser_digest: Mapped[str] = mapped_column(AsciiKey(64))
    """Of the cookie in the browser that started the flow."""
    provider: Mapped[str] = mapped_column(AsciiKey(16))
    flow: Mapped[Flow] = mapped_column(AsciiKey(8))
    user_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    """The user who links or installs; None for a sign-in."""
    session_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    """The session in which the user does."""
    sealed_verifier: Mapped[str] = mapped_column(Text)
    """The PKCE code verifier."""
    nonce: Mapped[str] = mapped_column(AsciiKey(64))
    """The OpenID Connect nonce, which the provider copies into its ID token."""
    next_path: Mapped[str] = mapped_column(Text)
    redirect_uri: Mapped[str | None] = mapped_column(Text)
    """Where an API client receives its code; None for a browser's flow."""
    client_challenge: Mapped[str | None] = mapped_column(AsciiKey(64))
    """The API client's PKCE code challenge."""
    client_state: Mapped[str | None] = mapped_column(Text)
    """The API client's state, which comes back with its code."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("state_digest", name="uq_oauth_states_state_digest"),
        Index("ix_oauth_states_expires", "expires_at"),
    )
