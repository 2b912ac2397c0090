"""Requests and responses of the fault API."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bongsu_sandbox.times import Timestamp

Target = Literal["google", "kakao", "discord", "gateway", "ses", "kakao_message"]
Kind = Literal[
    "error",
    "hang",
    "throttle",
    "quota",
    "reset",
    "accept_then_reset",
    "accept_then_hang",
    "missing_fields",
    "odd_fields",
    "huge_token",
    "no_via",
    "invalid_session",
    "unavailable",
    "per_entry",
]


def _encodable(value: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("must not hold half a character (a lone surrogate)")
    return value


Text = Annotated[str, AfterValidator(_encodable)]
Detail = Text | float | list[Text] | dict[Text, Text] | None


class FaultRequest(BaseModel):
    """A fault to set. One of the same target and kind is replaced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    kind: Kind
    rate: float = Field(default=1.0, gt=0, le=1, description="Share of the requests that it strikes")
    duration_s: float | None = Field(
        default=None, gt=0, le=86_400, description="How long it lasts; without it until it is cleared"
    )
    detail: Detail = Field(
        default=None,
        description="error: SES error code(s); hang, accept_then_hang: seconds each request hangs; "
        "per_entry: statuses dealt to the entries in turn, or an object from address to status",
    )


class FaultView(FaultRequest):
    """An active fault with its number of hits."""

    model_config = ConfigDict(from_attributes=True)

    set_at: Timestamp
    until: Timestamp | None
    hits: int


class FaultList(BaseModel):
    """All active faults."""

    items: list[FaultView]
