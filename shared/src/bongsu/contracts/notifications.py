"""Notifications as notify's API answers with them: statuses, recipients by channel, timelines and pages."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AliasChoices, ConfigDict, Field, JsonValue, PlainSerializer

from bongsu.contracts.jobs import EmailRecipient
from bongsu.contracts.queues import Priority
from bongsu.contracts.wire import Wire

Status = Literal[
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
]
Guarantee = Literal["at-least-once", "at-most-once"]
Mode = Literal["live", "test"]

FINAL: Final[frozenset[Status]] = frozenset(
    {"delivered", "bounced", "complained", "failed", "suppressed", "cancelled", "expired"}
)
"""Statuses that change no more by themselves. `sent` joins them where the provider reports nothing further."""
CANCELLABLE: Final[frozenset[Status]] = frozenset({"accepted", "queued", "retry_wait", "unknown"})
"""Waiting to be sent, or to be sent again: of an `unknown` one the provider may have a first copy."""
RETRYABLE: Final[frozenset[Status]] = frozenset({"failed", "expired"})
"""Ended without being sent."""
UNFINISHED: Final[frozenset[Status]] = frozenset({"accepted", "queued", "sending", "retry_wait", "unknown"})
"""On the way to a final status, or until the send time."""

Instant = Annotated[
    datetime, PlainSerializer(lambda at: at.astimezone(UTC).isoformat().replace("+00:00", "Z"), return_type=str)
]
"""RFC 3339 in UTC with `Z`."""


class DiscordRecipient(Wire):
    """A Discord channel."""

    channel_id: str


class UserRecipient(Wire):
    """A user of Bongsu, reached by their linked account or inbox."""

    user_id: UUID


class TopicRecipient(Wire):
    """The channels that subscribed to a topic of the sender."""

    topic: str


Recipient = EmailRecipient | DiscordRecipient | UserRecipient | TopicRecipient


class _Answer(Wire):
    """An answer of the API, readable from a row (`model_validate(row)`) and from JSON."""

    model_config = ConfigDict(from_attributes=True)


class TimelineEntry(_Answer):
    """A status that the notification took on, when, and why."""

    status: Status
    at: Instant
    attempt: int
    detail: str | None


class Failure(_Answer):
    """Why the last attempt failed."""

    code: str
    detail: str | None


class NotificationOut(_Answer):
    """A notification as it stands."""

    id: UUID
    status: Status
    channel: str
    mode: Mode
    to: Recipient
    subject: str | None
    template: str | None
    category: str
    topic: str | None
    priority: Priority
    guarantee: Guarantee
    send_at: Instant | None
    expires_at: Instant | None
    # SQLAlchemy keeps `metadata` for itself: a row calls it `details`.
    metadata: dict[str, JsonValue] = Field(validation_alias=AliasChoices("details", "metadata"))
    attempt: int
    next_attempt_at: Instant | None
    provider_message_id: str | None
    error: Failure | None
    created_at: Instant
    updated_at: Instant


class NotificationDetail(NotificationOut):
    """A notification with its timeline, oldest first."""

    timeline: list[TimelineEntry]


class NotificationPage(_Answer):
    """A page of notifications, newest first."""

    items: list[NotificationOut]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end")


class RetriedNotifications(_Answer):
    """How many notifications were retried."""

    retried: int
    next: str | None = Field(description="Pass it as `after` for the next ones; null at the end")


class NotificationCounts(_Answer):
    """How many notifications have each status. A count of `limit` means that there may be more."""

    counts: dict[Status, int]
    scheduled: int = Field(description="Of `accepted`, those whose send time is ahead")
    oldest_waiting: Instant | None = Field(description="When the oldest one that waits was accepted or due")
    limit: int


class NotificationContent(_Answer):
    """What a notification says, as it was requested."""

    subject: str | None
    content: dict[str, JsonValue] | None = Field(
        description="In the channel's own shape; null for a template, whose variables are secret"
    )
