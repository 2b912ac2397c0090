"""Signs in with a provider's account, fetches its profile, and fills the user: a fastapi-users backend a provider."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import httpx
from fastapi import Response
from httpx_oauth.oauth2 import BaseOAuth2

from bongsu.identity.audit import Actor
from bongsu.identity.models import User
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu_auth.errors import ProviderNotFound
from bongsu_auth.oauth import profiles
from bongsu_auth.oauth.clients import parse_grant, translate_provider_errors
from bongsu_auth.oauth.identities import Identities, ProviderLogin, repeat_on_conflict
from bongsu_auth.oauth.port import AuthorizationRequest, Connection, Grant, Profile, ProviderAccount, ProviderFailed
from bongsu_auth.oauth.service import ending_flow
from bongsu_auth.sessions.backend import CookieBackend
from bongsu_auth.sessions.strategy import Authentication, SessionStrategy, session_strategy
from bongsu_auth.sessions.transport import CookieTransport
from bongsu_auth.sessions.turns import Turns

P = ParamSpec("P")
T = TypeVar("T")

log = get_logger(__name__)


class CustomBackend(CookieBackend, ABC):
    """One subclass per provider, which fulfils `port.Provider`.

    It serves sign-ins only: it is not among the backends of `FastAPIUsers`, whose Authenticator tries each on every
    request. Requests to the provider are made outside of a transaction and raise `ProviderFailed`.
    """

    name: str
    label: str

    def __init__(
        self,
        client: BaseOAuth2[Any],
        connection: Connection,
        http: httpx.AsyncClient,
        identities: Identities,
        database: Database,
    ) -> None:
        super().__init__(self.name, CookieTransport(), session_strategy)
        self._client = client
        self._http = http
        self._timeout_s = connection.timeout_s
        self._identities = identities
        self._database = database
        self._turns = Turns(1)

    async def sign_in(self, strategy: SessionStrategy, login: ProviderLogin, location: str) -> Response:
        """Sign in the owner of a provider account, and redirect. One unit of work, repeated after a conflict.

        :raises AccountBlocked: the owner is blocked.
        :raises LoginToLink: as `Identities.find_owner`.
        """
        return await self._write(self._sign_in, login, strategy, location)

    async def find_user(self, login: ProviderLogin, address: str | None) -> User:
        """Return the owner of a provider account, without a session. Units of work and errors as `sign_in`."""
        return await self._write(self._find_user, login, address)

    async def _find_user(self, login: ProviderLogin, address: str | None) -> User:
        user = await self._identities.find_owner(login, address)
        await profiles.fill_empty_fields(user, *login.profiles)
        return user

    async def _sign_in(self, login: ProviderLogin, strategy: SessionStrategy, location: str) -> Response:
        user = await self._find_user(login, strategy.address)
        return await self.login(strategy, Authentication(user, self.name), location)

    async def link(self, login: ProviderLogin, user_id: UUID, session_id: UUID | None, actor: Actor) -> None:
        """Link a provider account to a user who is signed in. Units of work and errors as `sign_in`.

        :raises ServiceError: as `Identities.link`.
        """
        await self._write(self._link, login, user_id, session_id, actor)

    async def _link(self, login: ProviderLogin, user_id: UUID, session_id: UUID | None, actor: Actor) -> None:
        user = await self._identities.link(login, user_id, session_id, actor)
        await profiles.fill_empty_fields(user, *login.profiles)

    async def _write(
        self,
        function: Callable[Concatenate[ProviderLogin, P], Awaitable[T]],
        login: ProviderLogin,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a unit of work that writes the rows of a provider account. Those of one account take turns."""
        async with self._turns.take(login.account.subject):
            return await repeat_on_conflict(self._database, function, login, *args, **kwargs)

    async def fetch_login(self, grant: Grant, *, nonce: str) -> ProviderLogin:
        """Fetch the account, and the extra profile as far as the provider answers; errors as `ending_flow`."""
        with ending_flow(self):
            account = await self.fetch_account(grant, nonce=nonce)
        extra: Profile | None
        try:
            extra = await self.fetch_extra_profile(grant.access_token, grant.scopes or ())
        except ProviderFailed as error:
            log.warning("profile.failed", provider=self.name, error=type(error).__name__)
            extra = None
        return ProviderLogin(self.name, account, grant, extra)

    async def prepare(self) -> None:
        """Load what requests to the provider need, such as its endpoints."""

    @abstractmethod
    async def fetch_account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """Fetch the account whose grant this is."""

    async def fetch_extra_profile(self, access_token: str, scopes: tuple[str, ...]) -> Profile:
        """Fetch the part of the profile that takes another request; empty if the scopes do not allow it."""
        del access_token, scopes
        return Profile()

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """Return the URL to which to redirect a browser: always with a state, and with PKCE's S256."""
        await self.prepare()
        scopes = list(request.scopes) if request.scopes is not None else None
        extra = {**request.extra, **self.extra_parameters(request)}
        return await self._client.get_authorization_url(
            request.redirect_uri, request.state, scopes, request.code_challenge, "S256", extra
        )

    def extra_parameters(self, request: AuthorizationRequest) -> dict[str, str]:
        """Return the provider's own parameters of an authorization request."""
        del request
        return {}

    async def is_issuer(self, issuer: str) -> bool:
        """Return whether a response that names this issuer is the provider's. One without ID tokens names none."""
        del issuer
        return True

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        """Exchange the code that a browser brought."""
        await self.prepare()
        async with self._request():
            return parse_grant(await self._client.get_access_token(code, redirect_uri, verifier))

    async def renew(self, refresh_token: str) -> Grant:
        """Exchange a refresh token."""
        await self.prepare()
        async with self._request():
            return parse_grant(await self._client.refresh_token(refresh_token))

    async def revoke(self, access_token: str) -> None:
        """Revoke our access to the user's account."""
        async with self._request():
            await self._client.revoke_token(access_token)

    def _request(self) -> AbstractAsyncContextManager[None]:
        return translate_provider_errors(self.name, self._timeout_s)


class Backends:
    """The backends of the configured providers, in the order in which they are listed."""

    def __init__(self, *backends: CustomBackend) -> None:
        self.by_name = {backend.name: backend for backend in backends}

    def find(self, provider: str) -> CustomBackend:
        """Return the backend of a provider.

        :raises ProviderNotFound: it is not configured.
        """
        backend = self.by_name.get(provider)
        if backend is None:
            raise ProviderNotFound
        return backend
