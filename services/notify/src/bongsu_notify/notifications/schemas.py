"""The request fields that every channel shares. Answers are in `bongsu.contracts.notifications`."""

import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)

from bongsu.contracts.notifications import Guarantee
from bongsu.contracts.queues import Priority
from bongsu.identity.emails import normalise_email

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
        # Python's parser accepts what JSON cannot carry.
        raise ValueError("must be JSON: without NaN, Infinity and lone surrogates") from None
    if size_bytes > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES:,} bytes as JSON")
    return value


Email = Annotated[str, Field(max_length=320), AfterValidator(normalise_email)]
Line = Annotated[str, AfterValidator(_single_line)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small_json)]
Topic = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Body(BaseModel):
    """A request body: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
