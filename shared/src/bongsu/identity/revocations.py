"""Tokens that are denied before they expire: written by auth, known to every process within seconds.

Each process polls the table. When it could not for `STALE_AFTER_S`, it no longer knows what was revoked, and whoever
asks to change something is refused with 503 until it does; reading goes on.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from bongsu.identity.models import Revocation, RevokedKind, User
from bongsu.identity.sweeps import sweep
from bongsu.identity.tokens import MAX_LIFETIME_S
from bongsu.mixins import MixinError, utc_now
from bongsu.runtime.background import in_background
from bongsu.runtime.errors import Unavailable
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

POLL_EVERY_S = 1.0
STALE_AFTER_S = 5.0
POLL_TIMEOUT_S = STALE_AFTER_S
"""How long a poll may take. A connection that went silent would be waited for until the system gives it up, after a
quarter of an hour: the driver has no time limit of its own."""
OVERLAP = timedelta(seconds=60)
"""Rows are read again for this long: a slow transaction, or a clock that is behind, shows a row late."""

MARGIN_S = 5
"""How far the clock of whoever issued a token may be ahead of the clock of whoever revokes it. It is well below what
verifiers accept (`jws.CLOCK_SKEW_S`), so that the next token, dated past it, works at once everywhere.
"""

KEPT_FOR = timedelta(seconds=MAX_LIFETIME_S + 60)
"""No token works longer: neither an access token, nor an assertion that was issued for one at its end."""

_FOR_EVER = 2**53


class RevocableClaims(Protocol):
    """What a token tells of whom it was issued to and when: enough to know whether it was revoked."""

    @property
    def sub(self) -> UUID:
        """The user."""

    @property
    def sid(self) -> UUID:
        """The session."""

    @property
    def iat(self) -> int:
        """When it was issued, in seconds since 1970."""


class RevocationFeed:
    """What has been revoked, as this process knows it. Satisfies `jws.Denials`.

    :param poll_every_s: at most 2 s, so that a revocation works everywhere within 5 s.
    :param monotonic: a clock that never goes back, in seconds.
    """

    def __init__(self, *, poll_every_s: float = POLL_EVERY_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._poll_every_s = poll_every_s
        self._monotonic = monotonic
        self._denied: dict[tuple[RevokedKind, UUID], tuple[int, datetime]] = {}
        self._newest: datetime | None = None
        self._polled_at: float | None = None

    def denies(self, claims: RevocableClaims) -> bool:
        """Whether a token's session was ended, or its user's tokens of that time were revoked."""
        return self._is_denied("session", claims.sid, claims.iat) or self._is_denied("user", claims.sub, claims.iat)

    def add(self, revocation: Revocation) -> None:
        """Takes in one revocation; what this process wrote itself need not wait for the poll."""
        key = (revocation.kind, revocation.subject_id)
        known, expires_at = self._denied.get(key, (0, revocation.expires_at))
        self._denied[key] = (max(known, revocation.denied_until), max(expires_at, revocation.expires_at))

    @property
    def is_fresh(self) -> bool:
        """Whether the table was read within the last `STALE_AFTER_S`."""
        return self._polled_at is not None and self._monotonic() - self._polled_at <= STALE_AFTER_S

    def require_fresh(self) -> None:
        """For whoever is about to change something.

        :raises Unavailable: it is not known what has been revoked lately.
        """
        if not self.is_fresh:
            raise Unavailable(
                "What has been revoked cannot be read now; try again", code="revocations_stale", retry_after_s=2
            )

    async def poll(self) -> None:
        """Reads what is new; raises what the database raises."""
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
        """Polls in the background for as long as the block runs. It begins with a poll, whose failure is no error."""
        await self._poll_once()
        async with in_background(self._follow(), name="revocations"):
            yield

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_every_s)
            await self._poll_once()

    async def _poll_once(self) -> None:
        was_fresh = self.is_fresh
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                await self.poll()
        except (SQLAlchemyError, MixinError, OSError) as error:
            # Told once, when it begins to matter; the database log has each failure.
            if was_fresh and not self.is_fresh:
                log.warning("revocations.became_stale", error=type(error).__name__)
        except Exception:
            # A poll that ended by a defect would refuse every change until the process is started anew.
            log.exception("revocations.poll_failed")

    def _is_denied(self, kind: RevokedKind, subject_id: UUID, issued_at: int) -> bool:
        denied = self._denied.get((kind, subject_id))
        return denied is not None and issued_at <= denied[0]


async def revoke_session(session_id: UUID) -> Revocation:
    """Denies every token of a session, in the caller's transaction."""
    return await _revoke("session", session_id, _FOR_EVER)


async def revoke_sessions(session_ids: Sequence[UUID]) -> list[Revocation]:
    """Denies every token of the sessions, in the caller's transaction: however many, by few statements."""
    if not session_ids:
        return []
    first = await revoke_session(session_ids[0])
    # The time of the database is known by now.
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
    """Denies every token that the user has been given so far, in the caller's transaction.

    The user's next token is dated after them all (`tokens_denied_until`), so it is not denied with them.
    """
    # Of two revocations at once, the second goes by what the first wrote.
    await User.filter_by(id=user.id).lock().one()
    await user.refresh("tokens_denied_until")
    # A token that was issued after an earlier revocation is dated past that one's margin.
    until = max(int(time.time()) + MARGIN_S, user.tokens_denied_until + 1)
    await user.update(tokens_denied_until=until)
    return await _revoke("user", user.id, until)


async def sweep_revocations() -> int:
    """Removes revocations whose last token has expired; how many."""
    return await sweep(Revocation, expires_at__lt=datetime.now(UTC) - OVERLAP)


async def _revoke(kind: RevokedKind, subject_id: UUID, denied_until: int) -> Revocation:
    # Dated by the database, as every poller looks for what is newer than the newest it has seen.
    return await Revocation.create(
        kind=kind,
        subject_id=subject_id,
        denied_until=denied_until,
        expires_at=datetime.now(UTC) + KEPT_FOR,
        created_at=utc_now(),
    )
