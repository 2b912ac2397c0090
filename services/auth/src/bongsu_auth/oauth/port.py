"""The provider, as auth needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class ProviderFailed(Exception):
    """A provider's request failed. The message is for the log, and holds no token and no address."""


class ProviderUnavailable(ProviderFailed):
    """The provider does not answer, or throttles: retry later.

    Attributes:
        retry_after_s: how long to wait, or None if it does not say.
        is_global: whether the limit covers all our requests, not only this user's.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, is_global: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_global = is_global


class ProviderRefused(ProviderFailed):
    """The provider answered with an error, or with a malformed response."""


class TokenRejected(ProviderFailed):
    """The provider does not accept the token or the code."""


class IdTokenRefused(ProviderFailed):
    """The provider did not issue this ID token to us for this sign-in."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The address of a provider, and our credentials there.

    :param scopes: requested at a sign-in.
    :param base_url: for browsers; None for the provider itself.
    :param api_url: for our requests; None for the provider itself.
    :param timeout_s: for one request, however slowly its response arrives.
    """

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    base_url: str | None = None
    api_url: str | None = None
    timeout_s: float = 8.0


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """An authorization request (OAuth 2.0, with PKCE).

    :param scopes: None for those of the settings.
    :param extra: parameters of the provider's own.
    """

    redirect_uri: str
    state: str
    code_challenge: str
    nonce: str
    scopes: tuple[str, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """The response of the token endpoint.

    :param refresh_token: None if the response has no new one.
    :param scopes: granted by the user; None if the response does not say.
    :param guild_id: the Discord guild to which the bot was added.
    """

    access_token: str
    refresh_token: str | None = None
    expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None
    id_token: str | None = None
    guild_id: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A user's profile at a provider. Each field may be missing.

    :param picture: an https address.
    :param birthday: `MM-DD`.
    :param age_range: `30-39`, or `90-` for 90 and older.
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
    """A user's account at a provider.

    :param subject: its ID there, which never changes.
    :param email: None if it has none, or if the user did not share it.
    :param email_verified: whether the provider verified that the user owns the address.
    """

    subject: str
    email: str | None
    email_verified: bool
    profile: Profile


class Provider(Protocol):
    """A provider's backend, as the services use it. Every method may raise `ProviderFailed`."""

    @property
    def name(self) -> str:
        """In URLs and tables: `discord`."""

    @property
    def label(self) -> str:
        """In texts: `Discord`."""

    async def prepare(self) -> None:
        """Load what requests to the provider need, such as its endpoints."""

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """Return the URL to which to redirect a browser."""

    async def is_issuer(self, issuer: str) -> bool:
        """Return whether a response that names this issuer (RFC 9207) is the provider's."""

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        """Exchange the code that a browser brought."""

    async def fetch_extra_profile(self, access_token: str, scopes: tuple[str, ...]) -> Profile:
        """Return the part of the profile that takes another request; empty if the scopes do not allow it."""

    async def renew(self, refresh_token: str) -> Grant:
        """Exchange a refresh token."""

    async def revoke(self, access_token: str) -> None:
        """Revoke our access to the user's account."""
