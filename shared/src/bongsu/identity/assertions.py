"""Assertions: a user's word for one action, by which a service acts in another on their behalf.

EdDSA under the same keys as access tokens, `typ: assertion+jwt`, good for one minute: the audience does what the
method and the target say, for the user `sub`, and nothing else. An access token is no assertion, nor the other way
about: each verifier takes its own `typ` only.
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Protocol

import jwt
from pydantic import ValidationError

from bongsu.contracts.tokens import AssertionClaims
from bongsu.identity.revocations import RevocableClaims
from bongsu.identity.tokens import ALGORITHM, CLOCK_SKEW_S, KeySource, SigningKey

TOKEN_TYPE = "assertion+jwt"  # noqa: S105 - a media type
LIFETIME_S = 60
MAX_CHARS = 2048

NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
"""How a method is written."""
TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}")
"""How a target is written, such as `guild:300000000002228224`."""

_HEADER_NAMES = {"alg", "typ", "kid"}
_REQUIRED_CLAIMS = frozenset(AssertionClaims.model_fields)
_JWS = jwt.PyJWS(algorithms=[ALGORITHM])


class AssertionRefused(Exception):
    """It is not one of ours, not for this action, out of date or revoked. The message is for the log only."""


class Denials(Protocol):
    """What has been revoked, answered from memory (`RevocationFeed`)."""

    def denies(self, claims: RevocableClaims) -> bool:
        """Whether the session, the user or the time of issue is denied."""


class AssertionIssuer:
    """Issues assertions: auth's half.

    Args:
        issuer: our public URL.
        now: the clock, in seconds since 1970.
    """

    def __init__(self, issuer: str, *, now: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._now = now

    def issue(  # noqa: PLR0913 - each is one claim
        self,
        key: SigningKey,
        *,
        user_id: uuid.UUID,
        session_id: uuid.UUID,
        audience: str,
        method: str,
        target: str,
        after: int = 0,
    ) -> str:
        """A signed assertion from now on, dated after `after` (`User.tokens_denied_until`)."""
        issued_at = max(int(self._now()), after + 1)
        claims = AssertionClaims(
            iss=self._issuer,
            sub=user_id,
            aud=audience,
            method=method,
            target=target,
            exp=issued_at + LIFETIME_S,
            iat=issued_at,
            jti=uuid.uuid4(),
            sid=session_id,
        )
        return jwt.encode(
            claims.model_dump(mode="json"),
            key.private_key,
            algorithm=ALGORITHM,
            headers={"typ": TOKEN_TYPE, "kid": key.kid},
        )


class AssertionVerifier:
    """Verifies assertions: the audience's half.

    It does not remember which were used: where doing a thing twice matters, use the claims' `jti` once
    (`nonces.use_nonce("assertion", str(claims.jti))`), or as the idempotency key.

    Args:
        issuer: the only issuer that is believed: our public URL.
        audience: the verifier's own name, such as `bot`.
        keys: the public keys (`DatabaseKeySource`, kept `following()`).
        denials: what has been revoked.
        refetch_every_s: how often, at most, an unknown key id makes the keys be read again.
        now: the clock, in seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about what is believed
        self,
        issuer: str,
        audience: str,
        keys: KeySource,
        denials: Denials,
        *,
        refetch_every_s: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._denials = denials
        self._refetch_every_s = refetch_every_s
        self._now = now
        self._refetched_at: float | None = None

    async def verify(self, token: str, *, method: str, target: str) -> AssertionClaims:
        """The claims of an assertion that was given for just this action.

        Raises:
            AssertionRefused: for every other text.
        """
        if len(token) > MAX_CHARS:
            raise AssertionRefused("too long")
        kid = _key_id(token.partition(".")[0])
        key = self._keys.find(kid)
        if key is None and (self._refetched_at is None or self._now() - self._refetched_at >= self._refetch_every_s):
            self._refetched_at = self._now()
            await self._keys.refresh()
            key = self._keys.find(kid)
        if key is None:
            raise AssertionRefused("unknown key")
        try:
            claims = AssertionClaims.model_validate_json(_JWS.decode(token, key, algorithms=[ALGORITHM]))
        except jwt.InvalidTokenError:
            raise AssertionRefused("the signature is wrong") from None
        except (ValueError, ValidationError):
            raise AssertionRefused("a claim is missing or wrong") from None
        self._check(claims, method, target)
        return claims

    def _check(self, claims: AssertionClaims, method: str, target: str) -> None:
        now = self._now()
        if not claims.model_fields_set >= _REQUIRED_CLAIMS:
            raise AssertionRefused("a claim is missing")
        if claims.iss != self._issuer or claims.aud != self._audience:
            raise AssertionRefused("another issuer or audience")
        if (claims.method, claims.target) != (method, target):
            raise AssertionRefused("for another action")
        if claims.iat > now + CLOCK_SKEW_S or claims.exp <= now:
            raise AssertionRefused("not valid yet, or no longer")
        if claims.exp - claims.iat > LIFETIME_S:
            raise AssertionRefused("lives longer than an assertion may")
        if self._denials.denies(claims):
            raise AssertionRefused("revoked")


def _key_id(segment: str) -> str:
    """The key id of a header that says nothing but what ours say."""
    try:
        header: object = json.loads(
            base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
        )
    except (ValueError, RecursionError):  # the latter: thousands of brackets, one within the other
        raise AssertionRefused("not a token") from None
    if not isinstance(header, Mapping) or set(header) != _HEADER_NAMES:
        raise AssertionRefused("the header says more or less than it must")
    kid = header["kid"]
    if header["alg"] != ALGORITHM or header["typ"] != TOKEN_TYPE or not isinstance(kid, str):
        raise AssertionRefused("the header is not an assertion's")
    return kid
