"""Assertions: a user's word for one action, by which a service acts in another on their behalf.

EdDSA under the same keys as access tokens, `typ: assertion+jwt`, good for one minute: the audience does what the
method and the target say, for the user `sub`, and nothing else. An access token is no assertion, nor the other way
about: each verifier takes its own `typ` only.
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
"""How a method is written."""
TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}")
"""How a target is written, such as `guild:300000000002228224`."""


class AssertionRefused(Exception):
    """It is not one of ours, not for this action, out of date or revoked. The message is for the log only."""


_KIND = TokenKind(TOKEN_TYPE, AssertionClaims, LIFETIME_S, MAX_CHARS, AssertionRefused)


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
        return key.sign(claims, TOKEN_TYPE)


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
        denials: Denials[AssertionClaims],
        *,
        refetch_every_s: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._verifier = JwsVerifier(_KIND, issuer, keys, denials, refetch_every_s=refetch_every_s, now=now)
        self._audience = audience

    async def verify(self, token: str, *, method: str, target: str) -> AssertionClaims:
        """The claims of an assertion that was given for just this action.

        Raises:
            AssertionRefused: for every other text.
        """
        kid, claims = await self._verifier.read(token)
        if claims.aud != self._audience:
            raise AssertionRefused("another audience")
        if (claims.method, claims.target) != (method, target):
            raise AssertionRefused("for another action")
        self._verifier.require_in_force(kid, claims)
        return claims
