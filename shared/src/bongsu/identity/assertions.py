"""Assertions: short-lived tokens by which one service performs one action in another, on behalf of a user.

They have the keys of access tokens but another `typ`, so that neither is accepted for the other. The audience performs
the named method on the named target for the user `sub`, and nothing else.
"""

import re
import time
import uuid
from collections.abc import Callable

from bongsu.contracts.tokens import AssertionClaims
from bongsu.identity.jws import Denials, JwsVerifier, KeySource, TokenKind
from bongsu.identity.tokens import SigningKey

TOKEN_TYPE = "assertion+jwt"  # noqa: S105 - a media type
LIFETIME_S = 60
MAX_CHARS = 2048

NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
"""The form of a method's name."""
TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}")
"""The form of a target, such as `guild:300000000002228224`."""


class AssertionRefused(Exception):
    """The assertion is not valid for this action, has expired or was revoked. The message is for the log only."""


_KIND = TokenKind(TOKEN_TYPE, AssertionClaims, LIFETIME_S, MAX_CHARS, AssertionRefused)


class AssertionIssuer:
    """Issues assertions; auth has one.

    :param issuer: our public URL.
    :param now: the clock, in seconds since 1970.
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
        """Return a signed assertion, issued now but dated after `after` (`User.tokens_denied_until`)."""
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
        return key.sign(claims, TOKEN_TYPE)


class AssertionVerifier:
    """Verifies assertions; each audience has one.

    An assertion can be used again until it expires. Where an action must not be repeated, use the claims' `jti` once
    (`Nonces.use("assertion", str(claims.jti))`), or as the idempotency key.

    :param issuer: the only issuer that is believed: our public URL.
    :param audience: the verifier's own name, such as `bot`.
    :param refetch_every_s: how often, at most, an unknown key id makes the keys be read again.
    :param now: the clock, in seconds since 1970.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about what is believed
        self,
        issuer: str,
        audience: str,
        keys: KeySource,
        denials: Denials[AssertionClaims],
        *,
        refetch_every_s: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._verifier = JwsVerifier(_KIND, issuer, keys, denials, refetch_every_s=refetch_every_s, now=now)
        self._audience = audience

    async def verify(self, token: str, *, method: str, target: str) -> AssertionClaims:
        """Return the claims of a valid assertion for this method and target.

        :raises AssertionRefused: the assertion is not valid, or for another action.
        """
        kid, claims = await self._verifier.read(token)
        if claims.aud != self._audience:
            raise AssertionRefused("another audience")
        if (claims.method, claims.target) != (method, target):
            raise AssertionRefused("for another action")
        self._verifier.require_in_force(kid, claims)
        return claims
