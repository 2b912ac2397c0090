"""Access tokens: EdDSA, `typ: at+jwt` (RFC 9068), issued by auth and verified by every service.

docs/access-tokens.md shows how other programs verify them.
"""

import hashlib
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bongsu.contracts.tokens import AUDIENCE, AccessClaims, AssertionClaims
from bongsu.identity import base64url
from bongsu.identity.jws import ALGORITHM, Denials, JwsVerifier, KeySource, TokenKind, sign
from bongsu.identity.scopes import Role, Scope, format_scopes

TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
MAX_LIFETIME_S = 15 * 60
MAX_TOKEN_CHARS = 4096


class TokenRefused(Exception):
    """The token is not a valid access token, has expired or was revoked. The message is for the log only."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the id under which its public half is published."""

    kid: str
    private_key: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> "SigningKey":
        """Create a new key."""
        return cls(f"bongsu-{uuid.uuid4().hex[:16]}", Ed25519PrivateKey.generate())

    def sign(self, claims: AccessClaims | AssertionClaims, token_type: str) -> str:
        """Return a token with that `typ`."""
        return sign(claims.model_dump_json().encode(), self.private_key, token_type=token_type, kid=self.kid)


_KIND = TokenKind(TOKEN_TYPE, AccessClaims, MAX_LIFETIME_S, MAX_TOKEN_CHARS, TokenRefused)


@dataclass(frozen=True, slots=True)
class TokenSubject:
    """The user and session that a token is issued to.

    :param auth_time: when the user signed in, in seconds since 1970.
    :param amr: the methods of the sign-in (RFC 8176).
    """

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
        """Return a signed token for the subject, issued now but dated after `after` (`User.tokens_denied_until`)."""
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
        return key.sign(claims, TOKEN_TYPE)


class TokenVerifier:
    """Verifies access tokens, and caches the ones that it has verified.

    For a cached token only the signature is skipped: its expiry, its key and the denials are checked every time. The
    cache holds the token's SHA-256, never the token.

    :param issuer: the only issuer that is believed.
    :param keys: the public keys.
    :param denials: what has been revoked.
    :param refetch_every_s: how often, at most, an unknown key id makes the keys be read again.
    :param cache_size: tokens; the least recently used are dropped first.
    :param now: the clock, in seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about what is believed
        self,
        issuer: str,
        keys: KeySource,
        denials: Denials[AccessClaims],
        *,
        refetch_every_s: float = 5.0,
        cache_size: int = 8192,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._verifier = JwsVerifier(_KIND, issuer, keys, denials, refetch_every_s=refetch_every_s, now=now)
        self._cache_size = cache_size
        self._verified: OrderedDict[bytes, tuple[str, AccessClaims]] = OrderedDict()

    async def verify(self, token: str) -> AccessClaims:
        """Return the claims of a valid token.

        :raises TokenRefused: the token is not valid.
        """
        fingerprint = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        cached = self._verified.get(fingerprint)
        if cached is None:
            cached = await self._verifier.read(token)
            self._cache(fingerprint, *cached)
        else:
            self._verified.move_to_end(fingerprint)
        kid, claims = cached
        self._verifier.require_in_force(kid, claims)
        return claims

    def _cache(self, fingerprint: bytes, kid: str, claims: AccessClaims) -> None:
        self._verified[fingerprint] = (kid, claims)
        if len(self._verified) > self._cache_size:
            self._verified.popitem(last=False)


def public_jwk(kid: str, key: Ed25519PublicKey) -> dict[str, str]:
    """Return a public key as a JWK (RFC 8037)."""
    x = base64url.encode(key.public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": kid, "x": x}
