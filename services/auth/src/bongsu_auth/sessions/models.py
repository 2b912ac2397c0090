"""Counters of failed sign-ins, and of sign-ups."""

from datetime import datetime

from sqlalchemy import Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.identity.models import AuthModel
from bongsu.mixins import AsciiKey, UTCDateTime


class LoginFailures(AuthModel):
    """Failed sign-ins of one account, one address, or one account from one address; or sign-ups from one address."""

    __tablename__ = "login_failures"

    subject: Mapped[str] = mapped_column(AsciiKey(64))
    """A digest of the account, the network, or both."""
    failures: Mapped[int] = mapped_column(Integer, default=0)
    blocked_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())
    pending: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Those of `failures` that are being checked, until `pending_until`."""
    pending_until: Mapped[datetime | None] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("subject", name="uq_login_failures_subject"),
        Index("ix_login_failures_expires", "expires_at"),
    )
