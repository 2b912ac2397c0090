"""Access tokens: EdDSA, `typ: at+jwt` (RFC 9068), issued by auth and verified by every service.

The algorithm is pinned, a token never says where its key is to be found, and every claim must be there.
"""

import asyncio
import base64
import hashlib
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from bongsu.contracts.tokens import AUDIENCE, AccessClaims
from bongsu.identity.scopes import Role, Scope, format_scopes

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
MAX_LIFETIME_S = 15 * 60
MAX_TOKEN_CHARS = 4096
CLOCK_SKEW_S = 12
"""How far in the future `iat` and `nbf` may lie: the clocks of two machines are never the same, and a token that
follows a revocation is dated past its margin (`revocations.MARGIN_S`), some seconds past it where several followed one
another at once.
"""

_HEADER_NAMES = {"alg", "typ", "kid"}
_REQUIRED_CLAIMS = frozenset(AccessClaims.model_fields)
_JWS = jwt.PyJWS(algorithms=[ALGORITHM])


class TokenRefused(Exception):
    """The token is not one of ours, not an access token, out of date or revoked. The message is for the log only."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs, and the id under which its public half is published."""

    kid: str
    private_key: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> "SigningKey":
        """A fresh key."""
        return cls(f"bongsu-{uuid.uuid4().hex[:16]}", Ed25519PrivateKey.generate())


class KeySource(Protocol):
    """Where public keys come from. `find` is answered from memory, on every request."""

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key of that id, or None when it is unknown or no longer trusted."""

    async def refresh(self) -> None:
        """Read the keys again; called at most once an interval, when a token names an unknown key."""


class Denials(Protocol):
    """What has been revoked, answered from memory."""

    def denies(self, claims: AccessClaims) -> bool:
        """Whether the token's session, user or issue time is denied."""


@dataclass(frozen=True, slots=True)
class TokenSubject:
    """Whom a token speaks for."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    role: Role
    scopes: Collection[Scope]
    auth_time: int
    amr: tuple[str, ...]


class TokenIssuer:
    """Issues access tokens.

    :param issuer: our public URL.
    :param lifetime_s: at most `MAX_LIFETIME_S`.
    :param now: the clock, in seconds since 1970.
    """

    def __init__(self, issuer: str, *, lifetime_s: int = MAX_LIFETIME_S, now: Callable[[], float] = time.time) -> None:
        if not 0 < lifetime_s <= MAX_LIFETIME_S:
            raise ValueError(f"an access token lives for 1 to {MAX_LIFETIME_S} s")
        self._issuer = issuer
        self._now = now
        self.lifetime_s = lifetime_s

    def issue(self, key: SigningKey, subject: TokenSubject, *, after: int = 0) -> str:
        """A signed token for the subject, from now, and dated after `after` (`User.tokens_denied_until`)."""
        issued_at = max(int(self._now()), after + 1)
        claims = AccessClaims(
            iss=self._issuer,
            sub=subject.user_id,
            aud=AUDIENCE,
            exp=issued_at + self.lifetime_s,
            iat=issued_at,
            jti=uuid.uuid4(),
            sid=subject.session_id,
            role=subject.role.value,
            scope=format_scopes(subject.scopes),
            auth_time=subject.auth_time,
            amr=subject.amr,
        )
        return jwt.encode(
            claims.model_dump(mode="json"),
            key.private_key,
            algorithm=ALGORITHM,
            headers={"typ": TOKEN_TYPE, "kid": key.kid},
        )


class TokenVerifier:
    """Verifies access tokens, and remembers the ones that it has verified.

    A remembered token skips the signature only: its expiry, its key and the denials are looked at each time. What is
    remembered is the token's SHA-256, never the token.

    :param issuer: the only issuer that is believed.
    :param keys: the public keys.
    :param denials: what has been revoked.
    :param refetch_every_s: how often, at most, an unknown key id makes the keys be read again.
    :param cache_size: how many verified tokens are remembered; the least recently used go first.
    :param now: the clock, in seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about what is believed
        self,
        issuer: str,
        keys: KeySource,
        denials: Denials,
        *,
        refetch_every_s: float = 5.0,
        cache_size: int = 8192,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._keys = keys
        self._denials = denials
        self._refetch_every_s = refetch_every_s
        self._cache_size = cache_size
        self._now = now
        self._verified: OrderedDict[bytes, tuple[str, AccessClaims]] = OrderedDict()
        self._refetched_at: float | None = None
        self._refetching = asyncio.Lock()

    async def verify(self, token: str) -> AccessClaims:
        """The claims of a token that may be acted on now.

        :raises TokenRefused: for every other token.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise TokenRefused("too long")
        fingerprint = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        remembered = self._verified.get(fingerprint)
        if remembered is None:
            kid, claims = await self._verify_signature(token)
            self._remember(fingerprint, kid, claims)
        else:
            kid, claims = remembered
            if self._keys.find(kid) is None:
                raise TokenRefused("its key is no longer trusted")
            self._verified.move_to_end(fingerprint)
        if claims.exp <= self._now():
            self._verified.pop(fingerprint, None)
            raise TokenRefused("expired")
        if self._denials.denies(claims):
            raise TokenRefused("revoked")
        return claims

    async def _verify_signature(self, token: str) -> tuple[str, AccessClaims]:
        kid = _key_id(token.partition(".")[0])
        key = await self._key(kid)
        try:
            payload = _JWS.decode(token, key, algorithms=[ALGORITHM])
        except jwt.InvalidTokenError:
            raise TokenRefused("the signature is wrong") from None
        return kid, self._claims(payload)

    async def _key(self, kid: str) -> Ed25519PublicKey:
        key = self._keys.find(kid)
        if key is None:
            async with self._refetching:
                key = self._keys.find(kid)  # another task may have read the keys while this one waited
                if key is None and self._may_refetch():
                    self._refetched_at = self._now()
                    await self._keys.refresh()
                    key = self._keys.find(kid)
        if key is None:
            raise TokenRefused("unknown key")
        return key

    def _may_refetch(self) -> bool:
        return self._refetched_at is None or self._now() - self._refetched_at >= self._refetch_every_s

    def _claims(self, payload: bytes) -> AccessClaims:
        try:
            claims = AccessClaims.model_validate_json(payload)
            # Ours have no `nbf`, and reading the payload once more is only for those that do.
            not_before = json.loads(payload).get("nbf", 0) if b"nbf" in payload else 0
        except (ValueError, ValidationError):
            raise TokenRefused("a claim is missing or wrong") from None
        latest = self._now() + CLOCK_SKEW_S
        if not claims.model_fields_set >= _REQUIRED_CLAIMS:
            raise TokenRefused("a claim is missing")
        if claims.iss != self._issuer:
            raise TokenRefused("another issuer")
        if claims.iat > latest or not _is_past(not_before, latest):
            raise TokenRefused("not valid yet")
        if claims.exp - claims.iat > MAX_LIFETIME_S:
            raise TokenRefused("lives longer than an access token may")
        return claims

    def _remember(self, fingerprint: bytes, kid: str, claims: AccessClaims) -> None:
        self._verified[fingerprint] = (kid, claims)
        if len(self._verified) > self._cache_size:
            self._verified.popitem(last=False)


def public_jwk(kid: str, key: Ed25519PublicKey) -> dict[str, str]:
    """A public key as RFC 8037 writes it in a JWK set."""
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": kid, "x": x}


def _is_past(value: object, latest: float) -> bool:
    return isinstance(value, int | float) and value <= latest


@lru_cache(maxsize=256)
def _key_id(segment: str) -> str:
    """The key id of a header that says nothing but what ours say: no `jku`, `jwk`, `x5u`, `crit`.

    Remembered, as the header is the same for every token of a key.
    """
    try:
        header: object = json.loads(
            base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
        )
    except (ValueError, RecursionError):  # the latter: thousands of brackets, one within the other
        raise TokenRefused("not a token") from None
    if not isinstance(header, Mapping) or set(header) != _HEADER_NAMES:
        raise TokenRefused("the header says more or less than it must")
    kid = header["kid"]
    if header["alg"] != ALGORITHM or header["typ"] != TOKEN_TYPE or not isinstance(kid, str):
        raise TokenRefused("the header is not an access token's")
    return kid
