"""What goes over HTTP about notifications."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.functional_serializers import PlainSerializer

from bongsu.contracts.queues import Priority
from bongsu.identity.emails import normalise_email
from bongsu_notify.notifications.statuses import Guarantee, Status

MAX_METADATA_BYTES = 8_192


def _single_line(value: str) -> str:
    if any(character < " " or character == "\x7f" for character in value):
        raise ValueError("must be one line without control characters")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


def _small_json(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        size_bytes = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        # Python's reader lets through what JSON cannot carry.
        raise ValueError("must be JSON: without NaN, Infinity and lone surrogates") from None
    if size_bytes > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES:,} bytes as JSON")
    return value


Email = Annotated[str, Field(max_length=320), AfterValidator(normalise_email)]
Line = Annotated[str, AfterValidator(_single_line)]
Instant = Annotated[
    datetime,
    PlainSerializer(lambda at: at.astimezone(UTC).isoformat().replace("+00:00", "Z"), return_type=str),
]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small_json)]
Topic = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Body(BaseModel):
    """A request's body: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EmailTo(Body):
    """Who gets a mail."""

    email: Email = Field(examples=["someone@example.com"])
    name: Line | None = Field(default=None, max_length=200)


class EmailFrom(Body):
    """Who sends it; another address than the operator's needs a verified domain."""

    email: Email
    name: Line | None = Field(default=None, max_length=150)


class EmailContent(Body):
    """What it says. At least one of `text` and `html`."""

    subject: Line = Field(min_length=1, max_length=998, examples=["안녕하세요"])
    text: str | None = Field(default=None, min_length=1, max_length=500_000)
    html: str | None = Field(default=None, min_length=1, max_length=1_000_000)

    @model_validator(mode="after")
    def _has_a_body(self) -> Self:
        if self.text is None and self.html is None:
            raise ValueError("needs `text`, `html` or both")
        return self


class NotificationIn(Body):
    """A notification to send."""

    channel: Literal["email"]
    to: EmailTo
    content: EmailContent
    sender: EmailFrom | None = Field(default=None, alias="from")
    reply_to: Email | None = None
    category: Literal["transactional"] = "transactional"
    topic: Topic | None = None
    priority: Priority = "normal"
    guarantee: Guarantee = "at-least-once"
    send_at: Moment | None = None
    expires_at: Moment | None = None
    metadata: Metadata = Field(default_factory=dict)

    @field_validator("expires_at")
    @classmethod
    def _is_after_the_sending(cls, value: datetime | None, others: ValidationInfo) -> datetime | None:
        # Against the clock they are checked where it is known to be a new one: what was accepted before stays so.
        send_at: datetime | None = others.data.get("send_at")
        if value is not None and send_at is not None and value <= send_at:
            raise ValueError("must be later than send_at")
        return value


class TimelineEntry(BaseModel):
    """One step: when the notification took on a status, and why."""

    status: Status
    at: Instant
    attempt: int
    detail: str | None


class Failure(BaseModel):
    """Why the last attempt failed."""

    code: str
    detail: str | None


class Recipient(BaseModel):
    """Who gets it."""

    email: str
    name: str | None


class NotificationOut(BaseModel):
    """A notification as it stands."""

    id: UUID
    status: Status
    channel: str
    mode: Literal["live", "test"]
    to: Recipient
    subject: str | None
    template: str | None
    category: str
    topic: str | None
    priority: Priority
    guarantee: Guarantee
    send_at: Instant | None
    expires_at: Instant | None
    metadata: dict[str, JsonValue]
    attempt: int
    next_attempt_at: Instant | None
    provider_message_id: str | None
    error: Failure | None
    created_at: Instant
    updated_at: Instant


class NotificationDetail(NotificationOut):
    """A notification with everything that happened to it, oldest first."""

    timeline: list[TimelineEntry]


class NotificationPage(BaseModel):
    """A page of notifications, newest first."""

    items: list[NotificationOut]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end")
