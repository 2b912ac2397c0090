"""Signs and verifies tokens (compact JWS, RFC 7515): what access tokens and assertions have in common.

The algorithm is pinned, the header has no members but ours, and every claim is required, once. So a header chooses
nothing but the key, and a library that chooses by it is not needed.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bongsu.contracts.tokens import AccessClaims, AssertionClaims
from bongsu.identity import base64url
from bongsu.runtime.json_bodies import unique_names

ALGORITHM = "EdDSA"
"""The name from RFC 8037. RFC 9864 names the same algorithm `Ed25519`; few libraries know that name yet."""
CLOCK_SKEW_S = 12
"""How far in the future `iat` and `nbf` may lie. Clocks of two machines differ, and a token that follows a revocation
is dated past its margin (`revocations.MARGIN_S`), by some seconds more when several revocations came together.
"""

_HEADER_NAMES = {"alg", "typ", "kid"}

C = TypeVar("C", AccessClaims, AssertionClaims)
Denied_contra = TypeVar("Denied_contra", contravariant=True)


class KeySource(Protocol):
    """Provides public keys."""

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """Return a trusted key from memory, or None. Called for every request."""

    async def refresh(self) -> None:
        """Read the keys again. Called when a token names an unknown key, at most once an interval."""


class Denials(Protocol[Denied_contra]):
    """Knows what has been revoked."""

    def denies(self, claims: Denied_contra) -> bool:
        """Whether the session, the user or the time of issue is denied. Answered from memory."""


@dataclass(frozen=True, slots=True)
class TokenKind(Generic[C]):
    """One kind of token.

    :param token_type: its `typ`, which other kinds do not have.
    :param refused: the exception for a token that is not valid. Its message is for the log only.
    """

    token_type: str
    claims: type[C]
    lifetime_s: int
    max_chars: int
    refused: type[Exception]


class JwsVerifier(Generic[C]):
    """Verifies tokens of one kind.

    :param issuer: the only issuer that is believed.
    :param refetch_every_s: how often, at most, an unknown key id makes the keys be read again.
    :param now: the clock, in seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about what is believed
        self,
        kind: TokenKind[C],
        issuer: str,
        keys: KeySource,
        denials: Denials[C],
        *,
        refetch_every_s: float,
        now: Callable[[], float],
    ) -> None:
        self._kind: TokenKind[C] = kind
        self._required = frozenset(kind.claims.model_fields)
        self._issuer = issuer
        self._keys = keys
        self._denials: Denials[C] = denials
        self._refetch_every_s = refetch_every_s
        self._now = now
        self._refetched_at: float | None = None
        self._refetching = asyncio.Lock()

    async def read(self, token: str) -> tuple[str, C]:
        """Return the key id and the claims of a genuine token; it may have expired or been revoked.

        :raises Exception: the kind's `refused`.
        """
        if len(token) > self._kind.max_chars:
            raise self._kind.refused("too long")
        kid = _read_key_id(token.partition(".")[0], self._kind)
        key = await self._find_key(kid)
        try:
            payload = _read_signed(token, key)
        except (InvalidSignature, ValueError):
            raise self._kind.refused("the signature is wrong") from None
        return kid, self._read_claims(payload)

    def require_in_force(self, kid: str, claims: C) -> None:
        """Require that a token that was read, now or earlier, has not expired and is not revoked.

        :raises Exception: the kind's `refused`.
        """
        if self._keys.find(kid) is None:
            raise self._kind.refused("its key is no longer trusted")
        if claims.exp <= self._now():
            raise self._kind.refused("expired")
        if self._denials.denies(claims):
            raise self._kind.refused("revoked")

    async def _find_key(self, kid: str) -> Ed25519PublicKey:
        key = self._keys.find(kid)
        if key is None:
            async with self._refetching:
                key = self._keys.find(kid)  # another task may have read the keys while this one waited
                if key is None and self._may_refetch():
                    self._refetched_at = self._now()
                    await self._keys.refresh()
                    key = self._keys.find(kid)
        if key is None:
            raise self._kind.refused("unknown key")
        return key

    def _may_refetch(self) -> bool:
        return self._refetched_at is None or self._now() - self._refetched_at >= self._refetch_every_s

    def _read_claims(self, payload: bytes) -> C:
        refused = self._kind.refused
        try:
            members = _read_object(payload)
            claims = self._kind.claims.model_validate(members)
        except (ValueError, RecursionError):  # the latter: thousands of nested brackets
            raise refused("a claim is missing, wrong or given twice") from None
        latest = self._now() + CLOCK_SKEW_S
        if not claims.model_fields_set >= self._required:
            raise refused("a claim is missing")
        if claims.iss != self._issuer:
            raise refused("another issuer")
        if claims.iat > latest or not _is_past(members.get("nbf", 0), latest):
            raise refused("not valid yet")
        if claims.exp - claims.iat > self._kind.lifetime_s:
            raise refused("its lifetime is longer than its kind allows")
        return claims


def sign(payload: bytes, key: Ed25519PrivateKey, *, token_type: str, kid: str) -> str:
    """Return the token of a payload."""
    signed = f"{_header_segment(token_type, kid)}.{base64url.encode(payload)}"
    return f"{signed}.{base64url.encode(key.sign(signed.encode()))}"


@lru_cache(maxsize=256)
def _header_segment(token_type: str, kid: str) -> str:
    header = {"alg": ALGORITHM, "kid": kid, "typ": token_type}
    return base64url.encode(json.dumps(header, separators=(",", ":")).encode())


def _read_signed(token: str, key: Ed25519PublicKey) -> bytes:
    """Return the payload of a token.

    :raises InvalidSignature: the key did not sign it.
    :raises ValueError: the token is malformed.
    """
    signed, _, signature = token.rpartition(".")
    key.verify(base64url.decode(signature), signed.encode("ascii"))
    return base64url.decode(signed.partition(".")[2])


def _is_past(value: object, latest: float) -> bool:
    return isinstance(value, int | float) and value <= latest


@lru_cache(maxsize=256)
def _read_key_id(segment: str, kind: TokenKind[AccessClaims] | TokenKind[AssertionClaims]) -> str:
    """Return the `kid` of a header that has our members only: no `jku`, `jwk`, `x5u`, `crit`.

    Cached, because all tokens of a key have the same header.
    """
    try:
        header = _read_object(base64url.decode(segment))
    except (ValueError, RecursionError):
        raise kind.refused("not a token") from None
    if set(header) != _HEADER_NAMES:
        raise kind.refused("the header has other members")
    kid = header["kid"]
    if header["alg"] != ALGORITHM or header["typ"] != kind.token_type or not isinstance(kid, str):
        raise kind.refused("the header is of another kind")
    return kid


def _read_object(text: bytes) -> dict[str, Any]:
    """Parse a JSON object in which no object has a name twice.

    :raises ValueError: the text is something else.
    """
    value = json.loads(text, object_pairs_hook=unique_names)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the text is wrong, not the caller's type
    return value
