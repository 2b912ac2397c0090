"""The request fields that every channel shares. Answers are in `bongsu.contracts.notifications`."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bongsu.contracts.notifications import Guarantee, Status
from bongsu.contracts.queues import Priority
from bongsu.contracts.text import Matching, is_visible, require_single_line
from bongsu.identity.emails import normalise_email

MAX_METADATA_BYTES = 8_192
MAX_METADATA_DEPTH = 16
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


def _is_text_with_offset(value: object) -> object:
    # Pydantic also reads numbers, as seconds or milliseconds.
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("must be a time with an offset, such as 2027-01-31T09:00:00+09:00")
    return value


def _is_shallow(value: object) -> object:
    level: list[object] = [value]
    for _ in range(MAX_METADATA_DEPTH):
        children = (child for parent in level for child in _children(parent))
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return value
    raise ValueError(f"must be nested at most {MAX_METADATA_DEPTH} levels deep")


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _small_json(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        size_bytes = len(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    except ValueError:
        # Python's parser accepts what JSON cannot carry.
        raise ValueError("must be JSON: without NaN, Infinity and lone surrogates") from None
    if size_bytes > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES:,} bytes as compact JSON in UTF-8")
    return value


def _require_text(value: str) -> str:
    if not is_visible(value):
        raise ValueError("must not be blank")
    return value


Email = Annotated[str, Field(max_length=320), AfterValidator(normalise_email)]


def _normalise_recipient(value: str) -> str:
    return normalise_email(value) if "@" in value else value.lower()


Recipient = Annotated[
    str,
    Field(max_length=320),
    Matching(
        r"^([^@]+@.+|[0-9]{1,20}|[0-9A-Fa-f-]{36}|topic:[A-Za-z0-9._-]{1,64})$",
        "must be an email address, a channel ID, a user ID or `topic:` and a topic",
    ),
    AfterValidator(_normalise_recipient),
]
"""A recipient as lists filter by it."""
MAX_RETRIES: Final = 500
"""How many notifications a request retries: it is one transaction."""
ONE_LINE = AfterValidator(require_single_line)
"""Follows the length in an `Annotated[str, …]`: only then are the length's errors about characters."""
NOT_BLANK = AfterValidator(_require_text)
Url = Annotated[
    str,
    Field(max_length=2048),
    Matching(r"^https?://[^\s]+$", "must begin with http:// or https://, and have no spaces"),
]
Moment = Annotated[AwareDatetime, BeforeValidator(_is_text_with_offset), AfterValidator(_in_utc)]
Metadata = Annotated[dict[str, JsonValue], BeforeValidator(_is_shallow), AfterValidator(_small_json)]
Topic = Annotated[
    str,
    Matching(
        r"^[a-z0-9][a-z0-9._-]{0,63}$",
        "must be 1 to 64 of a-z, 0-9, `.`, `_` and `-`, and begin with a letter or a digit",
    ),
]
ChannelName = Annotated[str, Field(max_length=16), Matching("^[a-z]+$", "must be the name of a channel, such as email")]


class Body(BaseModel):
    """A request body: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Body):
    """No query parameters."""


class PeriodQuery(Body):
    """A period of acceptance."""

    since: Moment | None = Field(default=None, description="Accepted at or after this time")
    until: Moment | None = Field(default=None, description="Accepted before this time")


class ListQuery(PeriodQuery):
    """The filters of a list."""

    status: list[Status] = Field(default_factory=list, description="Repeat it for several statuses")
    scheduled: bool | None = Field(default=None, description="Whether the send time is still ahead")
    channel: ChannelName | None = None
    topic: Topic | None = None
    to: Recipient | None = Field(default=None, description="An email address, a channel ID or a user ID")
    q: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="A part of the subject or recipient, a whole address, or an ID. Each page searches a bounded "
        "number of notifications: it may have few items, or none, and `next` continues",
    )
    limit: int = Field(default=50, ge=1, le=200)
    after: UUID | None = Field(default=None, description="`next` of the previous page")


class RetryIn(PeriodQuery):
    """Which failed and expired notifications are sent again: a list of IDs, or the filters of the list."""

    ids: list[UUID] = Field(default_factory=list, max_length=MAX_RETRIES)
    status: list[Literal["failed", "expired"]] = Field(default_factory=list, description="Both if left out")
    channel: ChannelName | None = None
    topic: Topic | None = None
    to: Recipient | None = Field(default=None, description="An email address, a channel ID or a user ID")
    q: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="As in the list of notifications"
    )
    limit: int = Field(default=200, ge=1, le=MAX_RETRIES, description="How many are retried at most")
    after: UUID | None = Field(default=None, description="`next` of the previous answer")

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        given = self.model_fields_set - {"limit", "after"}
        if not given:
            raise ValueError("name the notifications: by ids, or by status, since, until, channel, topic, to or q")
        if "ids" in given and given != {"ids"}:
            raise ValueError("ids go without other filters")
        if given == {"ids"} and not self.ids:
            raise ValueError("ids must not be empty")
        return self


class NotificationIn(Body, ABC):
    """A notification to send: the fields that every channel has. A channel's own request adds `to` and `content`."""

    channel: str
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
        # The service compares times with the clock, for new requests only: a repeated one keeps its answer.
        send_at: datetime | None = others.data.get("send_at")
        if value is not None and send_at is not None and value <= send_at:
            raise ValueError("must be later than send_at")
        return value

    @property
    @abstractmethod
    def recipient(self) -> str:
        """The address or id that lists filter by."""
