"""From a request to its caller: by an access token, a signature, or a browser's cookie."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from starlette.requests import Request

from bongsu.identity.api_keys import KeyDirectory
from bongsu.identity.audit import Actor
from bongsu.identity.cookies import AuthCookies, is_same_origin
from bongsu.identity.errors import (
    AccessTokenRefused,
    AuthorizationMalformed,
    CredentialsMissing,
    CrossSiteRequest,
    SignatureRefused,
)
from bongsu.identity.key_source import DatabaseKeySource
from bongsu.identity.models import KeyMode
from bongsu.identity.nonces import Nonce, Nonces
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.scopes import Permission, Role, Scope, parse_scopes
from bongsu.identity.signature_base import Origin
from bongsu.identity.signed_requests import SignedRequestVerifier
from bongsu.identity.tokens import TokenRefused, TokenVerifier
from bongsu.identity.vault import Vault
from bongsu.runtime.networks import client_address, parse_network

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
Method = Literal["bearer", "signature", "cookie"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A user or an API key, and what they may do.

    :param user_id: the user, or the owner of the key.
    :param role: the user's; for a key, the owner's current role.
    :param scopes: of the token or the key.
    :param mode: `test` for a test key, whose notifications never reach a provider; else `live`.
    :param key_id: the key that signed, or None.
    :param session_id: the session of the token, or None for a key.
    :param auth_time: when the user signed in, in seconds since 1970, or None for a key.
    :param method: how the caller was identified.
    :param address: the client's address as our proxies saw it, or None.
    :param off_trial: whether the account may send to anyone; False where this was not looked up.
    :param nonce: of the signature, where it is not claimed yet.
    """

    user_id: UUID
    role: Role
    scopes: frozenset[Scope]
    mode: KeyMode
    key_id: UUID | None
    session_id: UUID | None
    auth_time: int | None
    method: Method
    address: str | None = None
    off_trial: bool = False
    nonce: Nonce | None = None

    def may(self, permission: Permission) -> bool:
        """Whether the role has the permission."""
        return permission in self.role.permissions

    @property
    def actor(self) -> Actor:
        """The caller as the audit log records them."""
        return Actor(self.user_id, self.key_id, self.address)


class Identity:
    """Identifies callers. Create one a process, keep `following()` open, and pass requests to `identify`.

    :param vault: decrypts the keys' secrets.
    :param public_url: the URL that clients call: the issuer of tokens, the authority of signatures and the origin of
        our pages.
    :param trusted_proxies: addresses and CIDR blocks whose X-Forwarded-For is believed.
    :param cors_origins: other origins whose pages may call the APIs, without cookies.
    :param revocations: another feed, in tests.
    """

    def __init__(
        self,
        *,
        vault: Vault,
        public_url: str,
        trusted_proxies: Sequence[str] = (),
        cors_origins: Sequence[str] = (),
        revocations: RevocationFeed | None = None,
    ) -> None:
        origin = Origin.of(public_url)
        self.public_origin = f"{origin.scheme}://{origin.authority}"
        self.cors_origins = tuple(cors_origins)
        self.cookies = AuthCookies.of(public_url)
        self.keys = KeyDirectory(vault)
        self.key_source = DatabaseKeySource()
        self.revocations = revocations or RevocationFeed()
        self.tokens = TokenVerifier(public_url, self.key_source, self.revocations)
        self._signed_requests = SignedRequestVerifier(public_url, self.keys)
        self._nonces = Nonces()
        self._trusted_proxies = tuple(parse_network(text) for text in trusted_proxies)

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow revocations and signing keys in the background until the block ends."""
        async with self.revocations.following(), self.key_source.following():
            yield
        await self._nonces.close()

    async def identify(self, request: Request) -> Caller:
        """Return the caller of a request, and claim the nonce of a signature.

        :raises Unauthorised: no credential, or one that is not valid; see `bongsu.identity.errors`.
        :raises Forbidden: the key may not be used from this address, or a page of another site sent the cookie.
        :raises Unavailable: the request changes something, and recent revocations are unknown.
        """
        caller = await self.identify_before_claim(request)
        await self.claim_nonce(caller)
        return caller

    async def claim_nonce(self, caller: Caller) -> None:
        """Claim the nonce of the caller's signature, unless a transaction has recorded it.

        :raises SignatureRefused: it was used before.
        """
        if caller.nonce is not None and not caller.nonce.is_recorded and not await self._nonces.record(caller.nonce):
            raise SignatureRefused

    async def identify_before_claim(self, request: Request) -> Caller:
        """As `identify`, without the claim: whatever the answer to the request is, its nonce is claimed before.

        :raises Unauthorised: no credential, or one that is not valid; see `bongsu.identity.errors`.
        :raises Forbidden: the key may not be used from this address, or a page of another site sent the cookie.
        :raises Unavailable: the request changes something, and recent revocations are unknown.
        """
        changes = request.method not in SAFE_METHODS
        authorization = request.headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise AuthorizationMalformed
            caller = await self.caller_of(token.strip(), request)
        elif "signature-input" in request.headers or "signature" in request.headers:
            caller = await self._by_signature(request)
        elif token := request.cookies.get(self.cookies.access, ""):
            if changes:
                self.require_same_origin(request)
            caller = await self.caller_of(token, request)
        else:
            raise CredentialsMissing
        if changes:
            self.revocations.require_fresh()
        return caller

    def address(self, request: Request) -> str | None:
        """Return the client's address, as our own proxies saw it; None where it is unknown."""
        peer = request.client.host if request.client is not None else None
        return client_address(peer, request.headers.getlist("x-forwarded-for"), self._trusted_proxies)

    def require_same_origin(self, request: Request) -> None:
        """Require that a request with cookies comes from one of our pages.

        :raises CrossSiteRequest: a page of another site sent it.
        """
        if not is_same_origin(request.headers, self.public_origin):
            raise CrossSiteRequest

    def require_known_origin(self, request: Request) -> None:
        """Require that a request which reads no session comes from one of our pages, or from an allowed origin.

        :raises CrossSiteRequest: a page of another site sent it.
        """
        if request.headers.get("origin") not in self.cors_origins:
            self.require_same_origin(request)

    async def caller_of(self, token: str, request: Request) -> Caller:
        """Return the caller of a request that carries this access token.

        :raises Unauthorised: the token is not valid.
        """
        method: Method = "bearer" if "authorization" in request.headers else "cookie"
        try:
            claims = await self.tokens.verify(token)
        except TokenRefused:
            raise AccessTokenRefused from None
        return Caller(
            user_id=claims.sub,
            role=Role(claims.role),
            scopes=parse_scopes(claims.scope),
            mode="live",
            key_id=None,
            session_id=claims.sid,
            auth_time=claims.auth_time,
            method=method,
            address=self.address(request),
        )

    async def _by_signature(self, request: Request) -> Caller:
        address = self.address(request)
        # The nonce is claimed after the check of the signature: others cannot use it up.
        key, nonce = await self._signed_requests.verify(request, address)
        return Caller(
            user_id=key.user_id,
            role=key.role,
            scopes=key.scopes,
            mode=key.mode,
            key_id=key.id,
            session_id=None,
            auth_time=None,
            method="signature",
            address=address,
            off_trial=key.off_trial,
            nonce=nonce,
        )
