"""What is known of a notification."""

from datetime import datetime
from typing import Final
from uuid import UUID

from bongsu_dashboard.upstream import Received

STATUSES: Final = (
    "accepted",
    "queued",
    "sending",
    "sent",
    "delivered",
    "bounced",
    "complained",
    "retry_wait",
    "unknown",
    "failed",
    "suppressed",
    "cancelled",
    "expired",
)
CANCELLABLE: Final = frozenset({"accepted", "queued", "retry_wait"})
RETRYABLE: Final = frozenset({"failed", "expired"})
MOVING: Final = frozenset({"accepted", "queued", "sending", "retry_wait", "unknown"})
"""Statuses that change by themselves before long: worth looking again."""

TONES: Final = {
    "sent": "ok",
    "delivered": "ok",
    "bounced": "bad",
    "complained": "bad",
    "failed": "bad",
    "retry_wait": "warn",
    "unknown": "warn",
    "suppressed": "warn",
    "expired": "warn",
    "sending": "busy",
    "accepted": "busy",
    "queued": "busy",
}


class Recipient(Received):
    """Who gets it."""

    email: str
    name: str | None = None


class Failure(Received):
    """Why the last attempt failed."""

    code: str
    detail: str | None = None


class Notification(Received):
    """A notification as it stands."""

    id: UUID
    status: str
    channel: str
    mode: str
    to: Recipient
    subject: str | None
    template: str | None
    attempt: int
    send_at: datetime | None
    next_attempt_at: datetime | None
    error: Failure | None
    provider_message_id: str | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def tone(self) -> str:
        """How its status is to be seen: `ok`, `busy`, `warn`, `bad` or `idle`."""
        return TONES.get(self.status, "idle")

    @property
    def is_moving(self) -> bool:
        """Whether its status changes by itself before long."""
        return self.status in MOVING

    @property
    def may_be_cancelled(self) -> bool:
        """Whether it still waits."""
        return self.status in CANCELLABLE

    @property
    def may_be_retried(self) -> bool:
        """Whether it ended without being sent."""
        return self.status in RETRYABLE and self.template is None


class Step(Received):
    """Something that happened to it."""

    status: str
    at: datetime
    attempt: int
    detail: str | None

    @property
    def tone(self) -> str:
        """As of a notification."""
        return TONES.get(self.status, "idle")


class Detail(Notification):
    """A notification and what happened to it, oldest first."""

    timeline: list[Step]


class Page(Received):
    """A page of notifications, newest first."""

    items: list[Notification]
    next: str | None
