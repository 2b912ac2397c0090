"""Tokens that are revoked before they expire: auth writes them, every process knows them within seconds.

Each process polls the table. After `STALE_AFTER_S` without a successful poll it no longer knows what was revoked, and
refuses changes with 503 until it does; reads go on.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from bongsu.identity.models import Revocation, RevokedKind, User
from bongsu.identity.polling import POLL_TIMEOUT_S, polling
from bongsu.identity.sweeps import sweep
from bongsu.identity.tokens import MAX_LIFETIME_S
from bongsu.mixins import utc_now
from bongsu.runtime.errors import Unavailable
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

POLL_EVERY_S = 1.0
STALE_AFTER_S = 5.0
OVERLAP = timedelta(seconds=60)
"""Rows of this age are read again: a slow transaction, or a clock that is behind, shows a row late."""

MARGIN_S = 5
"""How far the clock of a token's issuer may be ahead of the clock that dates its revocation. It is well below what
verifiers accept (`jws.CLOCK_SKEW_S`), so that the next token, dated past it, works everywhere.
"""

KEPT_FOR = timedelta(seconds=MAX_LIFETIME_S + 60)
"""No token lives longer: neither an access token, nor an assertion that was issued for one at its end."""

_FOR_EVER = 2**53


class RevocableClaims(Protocol):
    """The claims by which a token is revoked."""

    @property
    def sub(self) -> UUID:
        """The user."""

    @property
    def sid(self) -> UUID:
        """The session."""

    @property
    def iat(self) -> int:
        """The time of issue, in seconds since 1970."""


class RevocationFeed:
    """The revocations that this process knows. Satisfies `jws.Denials`.

    :param poll_every_s: at most 2 s, so that a revocation works everywhere within 5 s.
    :param poll_timeout_s: how long one poll may take.
    :param stale_after_s: how long the last poll counts.
    :param monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        *,
        poll_every_s: float = POLL_EVERY_S,
        poll_timeout_s: float = POLL_TIMEOUT_S,
        stale_after_s: float = STALE_AFTER_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._poll_every_s = poll_every_s
        self._poll_timeout_s = poll_timeout_s
        self._stale_after_s = stale_after_s
        self._monotonic = monotonic
        self._denied: dict[tuple[RevokedKind, UUID], tuple[int, datetime]] = {}
        self._newest: datetime | None = None
        self._polled_at: float | None = None

    def denies(self, claims: RevocableClaims) -> bool:
        """Whether the token's session was ended, or its user's tokens of that time were revoked."""
        return self._is_denied("session", claims.sid, claims.iat) or self._is_denied("user", claims.sub, claims.iat)

    def add(self, revocation: Revocation) -> None:
        """Add a revocation that this process wrote itself, without waiting for the poll."""
        key = (revocation.kind, revocation.subject_id)
        known, expires_at = self._denied.get(key, (0, revocation.expires_at))
        self._denied[key] = (max(known, revocation.denied_until), max(expires_at, revocation.expires_at))

    @property
    def is_fresh(self) -> bool:
        """Whether the last successful poll still counts."""
        return self._polled_at is not None and self._monotonic() - self._polled_at <= self._stale_after_s

    def require_fresh(self) -> None:
        """Require that recent revocations are known, before something is changed.

        :raises Unavailable: they are not.
        """
        if not self.is_fresh:
            raise Unavailable(
                "Recent revocations are unknown at the moment. Try again.", code="revocations_stale", retry_after_s=2
            )

    async def poll(self) -> None:
        """Read the new rows; raises what the database raises."""
        started = self._monotonic()
        query = Revocation.filter_by(expires_at__gt=datetime.now(UTC))
        if self._newest is not None:
            query = query.filter_by(created_at__gt=self._newest - OVERLAP)
        for revocation in await query.all():
            self.add(revocation)
            self._newest = max(self._newest or revocation.created_at, revocation.created_at)
        self._polled_at = started
        now = datetime.now(UTC)
        if self._newest is not None:
            # A row dated by a clock that is far ahead must not hide the ones that come after it.
            self._newest = min(self._newest, now)
        self._denied = {key: value for key, value in self._denied.items() if value[1] > now}

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Poll once, whatever comes of it, then in the background until the block ends."""
        async with polling(
            self._poll_and_report, name="revocations", every_s=self._poll_every_s, timeout_s=self._poll_timeout_s
        ):
            yield

    async def _poll_and_report(self) -> None:
        was_fresh = self.is_fresh
        try:
            await self.poll()
        finally:
            if was_fresh and not self.is_fresh:
                log.warning("revocations.became_stale")

    def _is_denied(self, kind: RevokedKind, subject_id: UUID, issued_at: int) -> bool:
        denied = self._denied.get((kind, subject_id))
        return denied is not None and issued_at <= denied[0]


async def revoke_session(session_id: UUID) -> Revocation:
    """Revoke every token of a session, in the caller's transaction."""
    return await _revoke("session", session_id, _FOR_EVER)


async def revoke_sessions(session_ids: Sequence[UUID]) -> list[Revocation]:
    """Revoke every token of the sessions, in the caller's transaction, with few statements for any number."""
    if not session_ids:
        return []
    first = await revoke_session(session_ids[0])
    # By now the database's time is known.
    rest = [
        Revocation(
            kind=first.kind,
            subject_id=session_id,
            denied_until=first.denied_until,
            expires_at=first.expires_at,
            created_at=first.created_at,
        )
        for session_id in session_ids[1:]
    ]
    await Revocation.bulk_create(rest)
    return [first, *rest]


async def revoke_user(user: User) -> Revocation:
    """Revoke every token that the user has been issued so far, in the caller's transaction.

    The user's next token is dated after them all (`tokens_denied_until`), so it is not revoked with them.
    """
    # Of two concurrent revocations, the second uses what the first wrote.
    await User.filter_by(id=user.id).lock().one()
    await user.refresh("tokens_denied_until")
    # A token issued after an earlier revocation is dated past that one's margin.
    until = max(int(time.time()) + MARGIN_S, user.tokens_denied_until + 1)
    await user.update(tokens_denied_until=until)
    return await _revoke("user", user.id, until)


async def sweep_revocations() -> int:
    """Delete revocations whose last token has expired; return how many."""
    return await sweep(Revocation, expires_at__lt=datetime.now(UTC) - OVERLAP)


async def _revoke(kind: RevokedKind, subject_id: UUID, denied_until: int) -> Revocation:
    # Dated by the database, because every poller looks for rows newer than the newest it has seen.
    return await Revocation.create(
        kind=kind,
        subject_id=subject_id,
        denied_until=denied_until,
        expires_at=datetime.now(UTC) + KEPT_FOR,
        created_at=utc_now(),
    )
