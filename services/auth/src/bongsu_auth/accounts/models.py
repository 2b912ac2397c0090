"""Sign-ups that wait for verification."""

from datetime import datetime

from sqlalchemy import Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.identity.models import AuthModel
from bongsu.mixins import AsciiKey, ExactString, UTCDateTime


class Registration(AuthModel):
    """A sign-up. Several may wait for one address: the token of each creates the account of that sign-up only."""

    __tablename__ = "registrations"

    email_norm: Mapped[str] = mapped_column(ExactString(254))
    hashed_password: Mapped[str] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(100))
    locale: Mapped[str] = mapped_column(AsciiKey(8))
    token_digest: Mapped[str] = mapped_column(AsciiKey(64))
    sealed_token: Mapped[str] = mapped_column(Text)
    """The token, for another mail."""
    browser_digest: Mapped[str] = mapped_column(AsciiKey(64))
    """Of the cookie in the browser that signed up."""
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Wrong passwords given with the token."""
    mails: Mapped[int] = mapped_column(SmallInteger, default=1)
    """Mails sent so far."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("token_digest", name="uq_registrations_token_digest"),
        Index("ix_registrations_email", "email_norm", "updated_at"),
        Index("ix_registrations_expires", "expires_at"),
    )
