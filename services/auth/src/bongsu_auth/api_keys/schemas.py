"""Requests and responses of API keys."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self, get_args
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from bongsu.contracts.text import require_single_line
from bongsu.identity.models import KeyMode, KeyStatus
from bongsu.identity.scopes import KEY_SCOPES, Scope, parse_scopes
from bongsu.runtime.networks import parse_network
from bongsu_auth.accounts.schemas import Strict, without_null

KeyScope = Literal[
    Scope.NOTIFICATIONS_READ,
    Scope.NOTIFICATIONS_WRITE,
    Scope.TEMPLATES_READ,
    Scope.TEMPLATES_WRITE,
    Scope.SUPPRESSIONS_READ,
    Scope.SUPPRESSIONS_WRITE,
    Scope.WEBHOOKS_WRITE,
    Scope.INBOX_READ,
    Scope.STATS_READ,
]


def _require_future(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise ValueError("must be in the future")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be before the year 10000 in UTC") from None


def _sort_known(value: object) -> object:
    return sorted(parse_scopes(value)) if isinstance(value, str) else value


def _drop_past(value: datetime | None) -> datetime | None:
    return value if value is not None and value > datetime.now(UTC) else None


Memo = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(require_single_line)]
ExpiresAt = Annotated[AwareDatetime, AfterValidator(_require_future)]
Cidr = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(lambda value: str(parse_network(value))),
    Field(description="An address or a CIDR block", examples=["203.0.113.0/24", "2001:db8::/32"]),
]


class KeyIn(Strict):
    """A new key."""

    memo: Memo | None = None
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=len(KEY_SCOPES))] = Field(
        default=[*get_args(KeyScope)], description="Default: every scope"
    )
    mode: KeyMode = Field(default="live", description="Notifications of a test key never reach a provider")
    expires_at: ExpiresAt | None = None


class KeyPatch(Strict):
    """Changes to a key. A missing field stays as it is."""

    memo: Memo | None = None
    status: KeyStatus | None = Field(default=None, json_schema_extra=without_null)


class EntryIn(Strict):
    """A block of addresses from which the key may be used."""

    cidr: Cidr


class KeyOut(BaseModel):
    """A key, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    access_key: str = Field(description="The `keyid` of its signatures")
    memo: str | None
    scopes: Annotated[list[str], BeforeValidator(_sort_known)]
    mode: KeyMode
    status: KeyStatus
    expires_at: datetime | None
    previous_secret_valid_until: Annotated[datetime | None, AfterValidator(_drop_past)] = Field(
        validation_alias="previous_until", description="After a rotation: until when both secrets work"
    )
    created_at: datetime


class KeyMade(KeyOut):
    """A key with its secret, which is shown only once."""

    model_config = ConfigDict(validate_by_name=True)

    secret_key: str

    @classmethod
    def of(cls, key: KeyOut, secret: str) -> Self:
        """Add the secret to a key."""
        return cls.model_validate(key.model_dump() | {"secret_key": secret})


class KeyPage(BaseModel):
    """Keys, newest first."""

    items: list[KeyOut]
    next: str | None


class EntryOut(BaseModel):
    """An entry of an allow-list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    cidr: str
    created_at: datetime


class EntryList(BaseModel):
    """The allow-list of a key. While it is empty, the key may be used from any address."""

    items: list[EntryOut]
    next: None = None
