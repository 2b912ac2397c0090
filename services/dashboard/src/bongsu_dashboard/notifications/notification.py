"""A notification as the pages show it."""

from datetime import UTC, datetime
from typing import Final, Literal, get_args

from bongsu.contracts.jobs import EmailRecipient
from bongsu.contracts.notifications import (
    CANCELLABLE,
    RETRYABLE,
    WAITING,
    DiscordRecipient,
    NotificationOut,
    Status,
    TimelineEntry,
)
from bongsu.contracts.wire import Wire

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
State = Literal["scheduled"] | Status

TONES: Final[dict[Status, str]] = {
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


class Notification(NotificationOut):
    """A notification as it stands."""

    @property
    def state(self) -> State:
        """The status, or `scheduled` until the send time."""
        scheduled = self.status == "accepted" and self.send_at is not None and self.send_at > datetime.now(UTC)
        return "scheduled" if scheduled else self.status

    @property
    def tone(self) -> str:
        """The colour of its state: `ok`, `busy`, `warn`, `bad` or `idle`."""
        return "idle" if self.state == "scheduled" else TONES.get(self.status, "idle")

    @property
    def is_moving(self) -> bool:
        """Whether its status changes by itself before long: the page polls."""
        return self.state in WAITING

    @property
    def is_cancellable(self) -> bool:
        return self.status in CANCELLABLE

    @property
    def is_retryable(self) -> bool:
        """False for templates, whose secret variables are deleted at the end."""
        return self.status in RETRYABLE and self.template is None

    @property
    def recipient(self) -> str:
        """The address or id."""
        match self.to:
            case EmailRecipient(email=email):
                return email
            case DiscordRecipient(channel_id=channel_id):
                return channel_id
        return str(self.to.user_id)

    @property
    def recipient_name(self) -> str | None:
        return self.to.name if isinstance(self.to, EmailRecipient) else None


class Step(TimelineEntry):
    """An entry of the timeline."""

    @property
    def tone(self) -> str:
        """As of a notification."""
        return TONES.get(self.status, "idle")


class Detail(Notification):
    """A notification and its timeline, oldest first."""

    timeline: list[Step]

    @property
    def version(self) -> str:
        """Changes with everything that the page shows."""
        return f"{self.state}-{len(self.timeline)}-{self.updated_at.timestamp():.6f}"


class Page(Wire):
    """A page of notifications, newest first."""

    items: list[Notification]
    next: str | None
