"""Sign-ups that wait for verification, and links in mails to owners of accounts."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.identity.models import AuthModel
from bongsu.mixins import AsciiKey, ExactString, UTCDateTime, UUIDKey

LinkPurpose = Literal["password_reset", "email_change"]


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
    network: Mapped[str] = mapped_column(AsciiKey(43), default="", server_default="")
    """The client's; empty for an unknown one."""
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Passwords that were hashed for the token."""
    mails: Mapped[int] = mapped_column(SmallInteger, default=1)
    """Mails sent so far."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("token_digest", name="uq_registrations_token_digest"),
        Index("ix_registrations_email", "email_norm", "updated_at"),
        Index("ix_registrations_expires", "expires_at"),
    )


class MailLink(AuthModel):
    """A link in a mail to the owner of an account. It works once."""

    __tablename__ = "mail_links"

    user_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[LinkPurpose] = mapped_column(AsciiKey(16))
    token_digest: Mapped[str] = mapped_column(AsciiKey(64))
    email_norm: Mapped[str] = mapped_column(ExactString(254))
    """The address that got the mail: of the account, or the new one."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("token_digest", name="uq_mail_links_token_digest"),
        Index("ix_mail_links_user", "user_id", "purpose", "created_at"),
        Index("ix_mail_links_expires", "expires_at"),
    )
