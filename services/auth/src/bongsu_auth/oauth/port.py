"""What the service needs of a provider, and what a provider tells of somebody."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class ProviderFailed(Exception):
    """A provider did not do what it was asked. The message is for the log, and holds no token and no address."""


class ProviderUnavailable(ProviderFailed):
    """It does not answer, or asks to wait: worth trying again later.

    Attributes:
        retry_after_s: how long it asks to wait, or None.
        everyone: whether that concerns all that we ask of it, not only this user's.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, everyone: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.everyone = everyone


class ProviderRefused(ProviderFailed):
    """It answered with an error, or with something that makes no sense."""


class TokenRejected(ProviderFailed):
    """The token, or the code, is not accepted (any more)."""


class IdTokenRefused(ProviderFailed):
    """The ID token is not one that the provider issued to us for this sign-in."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How a provider is reached, and who we are there.

    :param base_url: where browsers are sent; None for the provider itself.
    :param api_url: where we ask, which may be another address for the same place; None for the provider itself.
    :param scopes: what is asked for at a sign-in.
    """

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    base_url: str | None = None
    api_url: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a browser is sent to a provider with.

    :param scopes: None for those of the settings.
    :param more: further parameters of the provider's own.
    """

    redirect_uri: str
    state: str
    code_challenge: str
    nonce: str
    scopes: tuple[str, ...] | None = None
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user allowed: the answer of the token endpoint.

    :param refresh_token: None where there is none, or where the one before it goes on.
    :param scopes: what was allowed; None where the answer does not tell.
    :param guild_id: the Discord guild to which the bot was added, if that is what it was about.
    """

    access_token: str
    refresh_token: str | None = None
    expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None
    id_token: str | None = None
    guild_id: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a provider tells of somebody besides who they are; each may be missing.

    :param picture: an https address.
    :param birthday: `MM-DD`.
    :param age_range: `30-39`, or `90-` and older.
    :param locale: `ko` or `en`.
    """

    name: str | None = None
    nickname: str | None = None
    picture: str | None = None
    phone_number: str | None = None
    gender: str | None = None
    birth_year: int | None = None
    birthday: str | None = None
    age_range: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """Somebody's account at a provider.

    :param subject: its id there, which never changes.
    :param email: None where it has none, or where we may not know it.
    :param email_verified: whether the provider vouches that the address is theirs.
    """

    subject: str
    email: str | None
    email_verified: bool
    profile: Profile


class Provider(Protocol):
    """A provider by whose accounts users sign in. Every method but the first raises `ProviderFailed`."""

    @property
    def name(self) -> str:
        """Of our addresses and tables: `discord`."""

    @property
    def label(self) -> str:
        """For people: `Discord`."""

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """Where to send a browser."""

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        """The grant for a code that a browser came back with."""

    async def account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """Whose grant it is."""

    async def more_profile(self, access_token: str, scopes: tuple[str, ...]) -> Profile:
        """What takes another request to learn; nothing where there is no such request, or the scopes lack it."""

    async def renew(self, refresh_token: str) -> Grant:
        """A new grant in place of an old one."""

    async def revoke(self, access_token: str) -> None:
        """The user no longer wants anything to do with us."""
