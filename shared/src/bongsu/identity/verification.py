"""What is common to all that auth's keys sign, access tokens and assertions: how it is verified.

The algorithm is pinned, a header says nothing but what ours say, and every claim must be there.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bongsu.contracts.tokens import AccessClaims, AssertionClaims

ALGORITHM = "EdDSA"
CLOCK_SKEW_S = 12
"""How far in the future `iat` and `nbf` may lie: the clocks of two machines are never the same, and a token that
follows a revocation is dated past its margin (`revocations.MARGIN_S`), some seconds past it where several followed one
another at once.
"""

_HEADER_NAMES = {"alg", "typ", "kid"}
_JWS = jwt.PyJWS(algorithms=[ALGORITHM])

C = TypeVar("C", AccessClaims, AssertionClaims)
Denied_contra = TypeVar("Denied_contra", contravariant=True)


class KeySource(Protocol):
    """Where public keys come from. `find` is answered from memory, on every request."""

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key of that id, or None when it is unknown or no longer trusted."""

    async def refresh(self) -> None:
        """Read the keys again; called at most once an interval, when a token names an unknown key."""


class Denials(Protocol[Denied_contra]):
    """What has been revoked, answered from memory (`RevocationFeed`)."""

    def denies(self, claims: Denied_contra) -> bool:
        """Whether the session, the user or the time of issue is denied."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[C]):
    """One kind of what is signed.

    :param token_type: its `typ`; no kind is taken for another.
    :param refused: what is raised for one that is not to be believed. Its message is for the log only.
    """

    token_type: str
    claims: type[C]
    lifetime_s: int
    max_chars: int
    refused: type[Exception]


class Verifier(Generic[C]):
    """Verifies what is of one kind.

    :param issuer: the only issuer that is believed.
    :param refetch_every_s: how often, at most, an unknown key id makes the keys be read again.
    :param now: the clock, in seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about what is believed
        self,
        kind: Kind[C],
        issuer: str,
        keys: KeySource,
        denials: Denials[C],
        *,
        refetch_every_s: float,
        now: Callable[[], float],
    ) -> None:
        self._kind: Kind[C] = kind
        self._required = frozenset(kind.claims.model_fields)
        self._issuer = issuer
        self._keys = keys
        self._denials: Denials[C] = denials
        self._refetch_every_s = refetch_every_s
        self._now = now
        self._refetched_at: float | None = None
        self._refetching = asyncio.Lock()

    async def read(self, token: str) -> tuple[str, C]:
        """The key id and the claims of a genuine token; whether it is in force is another question.

        :raises Exception: the kind's `refused`.
        """
        if len(token) > self._kind.max_chars:
            raise self._kind.refused("too long")
        kid = _key_id(token.partition(".")[0], self._kind)
        key = await self._key(kid)
        try:
            payload = _JWS.decode(token, key, algorithms=[ALGORITHM])
        except jwt.InvalidTokenError:
            raise self._kind.refused("the signature is wrong") from None
        return kid, self._claims(payload)

    def require_in_force(self, kid: str, claims: C) -> None:
        """For what was read now or before.

        :raises Exception: the kind's `refused`.
        """
        if self._keys.find(kid) is None:
            raise self._kind.refused("its key is no longer trusted")
        if claims.exp <= self._now():
            raise self._kind.refused("expired")
        if self._denials.denies(claims):
            raise self._kind.refused("revoked")

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
            raise self._kind.refused("unknown key")
        return key

    def _may_refetch(self) -> bool:
        return self._refetched_at is None or self._now() - self._refetched_at >= self._refetch_every_s

    def _claims(self, payload: bytes) -> C:
        refused = self._kind.refused
        try:
            claims = self._kind.claims.model_validate_json(payload)
            # Ours have no `nbf`, and reading the payload once more is only for those that do.
            not_before = json.loads(payload).get("nbf", 0) if b"nbf" in payload else 0
        except ValueError:
            raise refused("a claim is missing or wrong") from None
        latest = self._now() + CLOCK_SKEW_S
        if not claims.model_fields_set >= self._required:
            raise refused("a claim is missing")
        if claims.iss != self._issuer:
            raise refused("another issuer")
        if claims.iat > latest or not _is_past(not_before, latest):
            raise refused("not valid yet")
        if claims.exp - claims.iat > self._kind.lifetime_s:
            raise refused("lives longer than its kind may")
        return claims


def _is_past(value: object, latest: float) -> bool:
    return isinstance(value, int | float) and value <= latest


@lru_cache(maxsize=256)
def _key_id(segment: str, kind: Kind[AccessClaims] | Kind[AssertionClaims]) -> str:
    """The key id of a header that says nothing but what ours say: no `jku`, `jwk`, `x5u`, `crit`.

    Remembered, as the header is the same for every token of a key.
    """
    try:
        header: object = json.loads(
            base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
        )
    except (ValueError, RecursionError):  # the latter: thousands of brackets, one within the other
        raise kind.refused("not a token") from None
    if not isinstance(header, Mapping) or set(header) != _HEADER_NAMES:
        raise kind.refused("the header says more or less than it must")
    kid = header["kid"]
    if header["alg"] != ALGORITHM or header["typ"] != kind.token_type or not isinstance(kid, str):
        raise kind.refused("the header is of another kind")
    return kid
