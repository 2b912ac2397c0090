"""Rotation of refresh tokens: each is exchanged for its successor, and the reuse of an old one is noticed.

Methods that write need an open unit of work.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bongsu.identity.models import UserSession
from bongsu.identity.vault import SealBroken, Vault
from bongsu_auth.sessions import refresh_tokens


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long sessions and refresh tokens work."""

    idle: timedelta
    absolute: timedelta
    grace: timedelta
    """How long a refresh token gives the same successor again."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A genuine refresh token and its session."""

    session: UserSession
    key: bytes
    generation: int


class Rotation:
    """Makes, finds and exchanges the refresh tokens of sessions.

    :param vault: seals the sessions' keys.
    """

    def __init__(self, vault: Vault, lifetimes: Lifetimes) -> None:
        self._vault = vault
        self._lifetimes = lifetimes

    def seal(self, key: bytes, session_id: UUID) -> str:
        """Return the key of a session's refresh tokens as it is stored."""
        return self._vault.seal(key, aad=_context(session_id))

    async def find(self, text: str) -> Presented | None:
        """Return the session of a refresh token of any generation; None if the token is not genuine."""
        token = refresh_tokens.parse(text)
        session = await UserSession.get_or_none(token.session_id) if token is not None else None
        if token is None or session is None:
            return None
        try:
            key = self._vault.open(session.sealed_refresh_key, aad=_context(session.id))
        except SealBroken:
            return None
        return Presented(session, key, token.generation) if token.is_of(key) else None

    async def exchange(self, presented: Presented, now: datetime) -> bool:
        """Make the session's newest token the successor of the presented one. False if that one no longer works.

        The newest token is exchanged for the next. Its predecessor gives the same successor again for a short time (a
        second tab, or a response that got lost), and later a sibling of it, which makes the unused successor void. A
        thief who uses a token in step with its owner holds one line of siblings and the owner the other, so the use of
        a void token ends the session.
        """
        session, generation = presented.session, presented.generation
        if generation == session.generation or self._gives_sibling(generation, session, now):
            before = session.generation
            changed = await UserSession.filter_by(id=session.id, generation=before, ended_at__isnull=True).update(
                generation=before + 1,
                predecessor=generation,
                rotated_at=now,
                idle_expires_at=min(now + self._lifetimes.idle, session.expires_at),
            )
            await session.refresh()
            if changed:
                return True
            # Another request was first; the row now shows what it did.
        return generation == session.predecessor and not self._gives_sibling(generation, session, now)

    def _gives_sibling(self, generation: int, session: UserSession, now: datetime) -> bool:
        return generation == session.predecessor and now > session.rotated_at + self._lifetimes.grace


def _context(session_id: UUID) -> str:
    return f"sessions.refresh_key:{session_id}"
