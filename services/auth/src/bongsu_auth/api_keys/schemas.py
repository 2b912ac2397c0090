"""What goes over HTTP about API keys."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self, get_args
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from bongsu.identity.models import AllowlistEntry, ApiKey, KeyMode, KeyStatus
from bongsu.identity.scopes import KEY_SCOPES, Scope, parse_scopes
from bongsu.runtime.networks import parse_network
from bongsu_auth.accounts.schemas import Strict

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


def _lies_ahead(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise ValueError("must lie in the future")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie before the year 10000 in UTC") from None


def _printable(value: str) -> str:
    if any(not char.isprintable() for char in value):
        raise ValueError("must not hold control characters")
    return value


Memo = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_printable)]
ExpiresAt = Annotated[AwareDatetime, AfterValidator(_lies_ahead)]
Cidr = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(lambda value: str(parse_network(value))),
    Field(description="An address or a CIDR block", examples=["203.0.113.0/24", "2001:db8::/32"]),
]


class KeyIn(Strict):
    """A key to be made."""

    memo: Memo | None = None
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=len(KEY_SCOPES))] = Field(
        default=[*get_args(KeyScope)], description="All of them unless given"
    )
    mode: KeyMode = Field(default="live", description="What a test key sends never reaches a provider")
    expires_at: ExpiresAt | None = None


class KeyPatch(Strict):
    """What may change; what is left out stays."""

    memo: Memo | None = None
    status: KeyStatus | None = None


class EntryIn(Strict):
    """A block of addresses from which the key may be used."""

    cidr: Cidr


class KeyOut(BaseModel):
    """A key, without its secret."""

    id: UUID
    access_key: str = Field(description="The `keyid` of signatures")
    memo: str | None
    scopes: list[str]
    mode: KeyMode
    status: KeyStatus
    expires_at: datetime | None
    previous_secret_valid_until: datetime | None = Field(description="After a rotation: until when both secrets work")
    created_at: datetime

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """From the row."""
        return cls.model_validate(_shown(key))


class KeyMade(KeyOut):
    """A key with its secret, which is shown this once."""

    secret_key: str

    @classmethod
    def made(cls, key: ApiKey, secret: str) -> Self:
        """From the row and the secret."""
        return cls.model_validate(_shown(key) | {"secret_key": secret})


class KeyPage(BaseModel):
    """Keys, newest first."""

    items: list[KeyOut]
    next: str | None


class EntryOut(BaseModel):
    """An entry of an allow-list."""

    id: UUID
    cidr: str
    created_at: datetime

    @classmethod
    def of(cls, entry: AllowlistEntry) -> Self:
        """From the row."""
        return cls(id=entry.id, cidr=entry.cidr, created_at=entry.created_at)


class EntryList(BaseModel):
    """The allow-list of a key. While it is empty, the key may be used from any address."""

    items: list[EntryOut]
    next: None = None


def _shown(key: ApiKey) -> dict[str, object]:
    rotated = key.previous_until is not None and key.previous_until > datetime.now(UTC)
    return {
        "id": key.id,
        "access_key": key.access_key,
        "memo": key.memo,
        "scopes": sorted(parse_scopes(key.scopes)),
        "mode": key.mode,
        "status": key.status,
        "expires_at": key.expires_at,
        "previous_secret_valid_until": key.previous_until if rotated else None,
        "created_at": key.created_at,
    }
