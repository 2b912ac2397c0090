"""Access tokens of sessions."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from bongsu.identity.key_source import current_signing_key
from bongsu.identity.models import LinkedAccount, User, UserSession
from bongsu.identity.scopes import SESSION_SCOPES, Role, Scope
from bongsu.identity.tokens import SigningKey, TokenIssuer, TokenSubject
from bongsu.identity.vault import Vault

BOT_SCOPES = frozenset({Scope.ACCOUNT, Scope.NOTIFICATIONS_READ, Scope.NOTIFICATIONS_WRITE, Scope.STATS_READ})


class TokenOwner(Protocol):
    """The user of a token."""

    @property
    def id(self) -> UUID: ...
    @property
    def role(self) -> str: ...
    @property
    def tokens_denied_until(self) -> int: ...


KEY_CACHED_FOR = timedelta(seconds=10)


class AccessTokens:
    """Issues access tokens with the current signing key.

    :param vault: opens the signing key.
    """

    def __init__(self, issuer: TokenIssuer, vault: Vault) -> None:
        self._issuer = issuer
        self._vault = vault
        self._key: tuple[datetime, SigningKey] | None = None
        self.lifetime_s = issuer.lifetime_s

    async def issue(self, session: UserSession, user: TokenOwner) -> str:
        """Issue a token, dated after the last revocation of the user's tokens."""
        return await self._issue(session, user, Role(user.role), SESSION_SCOPES)

    async def issue_for_reading(self, session: UserSession, user: TokenOwner) -> str:
        """Issue a token that reads the user's own notifications, whatever the user's role."""
        return await self._issue(session, user, Role.USER, {Scope.NOTIFICATIONS_READ})

    async def _issue(self, session: UserSession, user: TokenOwner, role: Role, scopes: Collection[Scope]) -> str:
        subject = TokenSubject(
            user_id=user.id,
            session_id=session.id,
            role=role,
            scopes=scopes,
            auth_time=int(session.auth_time.timestamp()),
            amr=tuple(session.amr.split()),
        )
        return self._issuer.issue(await self._current_key(), subject, after=user.tokens_denied_until)

    async def issue_for_linked(self, linked: LinkedAccount, user: User) -> str:
        """Issue a token to the user of a linked account, who has no session: it never counts as a recent sign-in."""
        subject = TokenSubject(
            user_id=user.id, session_id=linked.id, role=Role(user.role), scopes=BOT_SCOPES, auth_time=0, amr=()
        )
        return self._issuer.issue(await self._current_key(), subject, after=user.tokens_denied_until)

    async def _current_key(self) -> SigningKey:
        now = datetime.now(UTC)
        if self._key is None or self._key[0] <= now:
            self._key = (now + KEY_CACHED_FOR, await current_signing_key(self._vault))
        return self._key[1]
