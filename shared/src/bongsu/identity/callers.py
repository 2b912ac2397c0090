"""From a request to its caller: a Bearer token, a signature, or a browser's cookie."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from starlette.requests import Request

from bongsu.identity.api_keys import KeyDirectory
from bongsu.identity.audit import Actor
from bongsu.identity.cookies import AuthCookies
from bongsu.identity.key_source import DatabaseKeySource
from bongsu.identity.models import KeyMode
from bongsu.identity.nonces import use_nonce
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.scopes import Permission, Role, Scope, parse_scopes
from bongsu.identity.signature_base import HttpRequest, Origin
from bongsu.identity.signatures import DUMMY_SECRET, SignatureMalformed, SignatureVerifier
from bongsu.identity.tokens import TokenRefused, TokenVerifier
from bongsu.identity.vault import Vault
from bongsu.runtime.errors import Forbidden, Unauthorised
from bongsu.runtime.networks import client_address, parse_network

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
Method = Literal["bearer", "signature", "cookie"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what they may do.

    :param user_id: the user, or the owner of the key.
    :param role: the user's; for a key the owner's, as it is now.
    :param scopes: of the token or the key.
    :param mode: `test` for a test key: what it does never reaches a provider. Else `live`.
    :param key_id: the key that signed, or None.
    :param session_id: the session of the token, or None.
    :param auth_time: when the user signed in, in seconds since 1970, or None for a key.
    :param method: how the caller is known.
    :param address: the address that our proxies saw, or None.
    :param off_trial: whether the account is known to be off trial and may send to anybody; False where nobody looked.
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

    def may(self, permission: Permission) -> bool:
        """Whether the role has the permission."""
        return permission in self.role.permissions

    @property
    def actor(self) -> Actor:
        """The caller as the audit log names them."""
        return Actor(self.user_id, self.key_id, self.address)


class Identity:
    """What a service needs to know its callers: make one, keep `following()` open, and hand requests to `identify`.

    :param vault: opens the keys' secrets.
    :param public_url: ours, as clients know it: the issuer, the signed authority and the origin of browsers' requests.
    :param trusted_proxies: CIDR blocks whose X-Forwarded-For is believed.
    :param revocations: for tests.
    """

    def __init__(
        self,
        *,
        vault: Vault,
        public_url: str,
        trusted_proxies: Sequence[str] = (),
        revocations: RevocationFeed | None = None,
    ) -> None:
        origin = Origin.of(public_url)
        self.public_origin = f"{origin.scheme}://{origin.authority}"
        self.cookies = AuthCookies.of(public_url)
        self.keys = KeyDirectory(vault)
        self.key_source = DatabaseKeySource()
        self.revocations = revocations or RevocationFeed()
        self.tokens = TokenVerifier(public_url, self.key_source, self.revocations)
        self._signatures = SignatureVerifier(public_url)
        self._trusted_proxies = tuple(parse_network(text) for text in trusted_proxies)

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follows revocations and signing keys in the background, for as long as the service runs."""
        async with self.revocations.following(), self.key_source.following():
            yield

    async def identify(self, request: Request) -> Caller:
        """The caller of a request.

        :raises Unauthorised: no credential, or one that is not valid. Whether a signature's key is unknown, stopped
            or of a blocked user, or the signature wrong, old or used before, the answer is the same.
        :raises Forbidden: the key may not be used from this address; a cookie came from another site.
        :raises Unavailable: something is to be changed, and it is not known what was revoked lately.
        """
        changes = request.method not in SAFE_METHODS
        authorization = request.headers.get("authorization")
        if authorization is not None:
            caller = await self._by_header(authorization, request)
        elif "signature-input" in request.headers or "signature" in request.headers:
            caller = await self._by_signature(request)
        elif token := request.cookies.get(self.cookies.access):
            if changes:
                self.require_same_origin(request)
            caller = await self._by_token(token, "cookie", request)
        else:
            raise Unauthorised("Sign in, or sign the request", code="credentials_missing")
        if changes:
            self.revocations.require_fresh()
        return caller

    def address(self, request: Request) -> str | None:
        """The address that the caller has, as far as our own proxies can tell."""
        peer = request.client.host if request.client is not None else None
        return client_address(peer, request.headers.getlist("x-forwarded-for"), self._trusted_proxies)

    def require_same_origin(self, request: Request) -> None:
        """For what a browser may do with cookies: refuses a request that another site made it send.

        Every browser tells at least one of the two headers when it posts across sites; a client that tells neither
        is no browser, and cannot be made to send somebody's cookies.

        :raises Forbidden: another site's page sent it.
        """
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if site is not None:
            allowed = site in ("same-origin", "none")
        else:
            allowed = origin is None or origin == self.public_origin
        if not allowed:
            raise Forbidden("The request came from another site", code="cross_site")

    async def _by_header(self, authorization: str, request: Request) -> Caller:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorised("Authorization must be `Bearer` and an access token", code="token_refused")
        return await self._by_token(token.strip(), "bearer", request)

    async def _by_token(self, token: str, method: Method, request: Request) -> Caller:
        try:
            claims = await self.tokens.verify(token)
        except TokenRefused:
            raise Unauthorised("The access token is not valid, or no longer", code="token_refused") from None
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
        scope = request.scope
        sent = HttpRequest.of(
            request.method, scope["raw_path"], scope["query_string"], request.headers.raw, await request.body()
        )
        try:
            claim = self._signatures.read(sent)
        except SignatureMalformed as error:
            raise Unauthorised(f"The signature cannot be read: {error}", code="signature_malformed") from None
        key = await self.keys.find(claim.key_id)
        secrets = (*(key.secrets if key is not None else ()), DUMMY_SECRET, DUMMY_SECRET)
        # Two checks whatever is known: the work tells nothing about the key.
        borne_out = claim.check(secrets[0]) | claim.check(secrets[1])
        if key is None or not borne_out:
            raise _signature_refused()
        address = self.address(request)
        if not key.is_usable_from(address):
            raise Forbidden("This key may not be used from this address", code="address_not_allowed")
        if not await use_nonce(claim.key_id, claim.nonce):
            raise _signature_refused()
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
        )


def _signature_refused() -> Unauthorised:
    return Unauthorised(
        "The signature is not accepted: check the key, the secret, the clock, that the nonce is new, and that the "
        "request is sent as it was signed",
        code="signature_refused",
    )
