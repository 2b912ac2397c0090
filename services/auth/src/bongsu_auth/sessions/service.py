"""The rules of sessions. Each function needs an open unit of work, but for those that only read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.key_source import current_signing_key
from bongsu.identity.models import Revocation, User, UserSession
from bongsu.identity.revocations import KEPT_FOR, revoke_session, revoke_sessions
from bongsu.identity.scopes import SESSION_SCOPES, Role
from bongsu.identity.sweeps import sweep
from bongsu.identity.tokens import SigningKey, TokenIssuer, TokenSubject
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import Q, Query, uuid7
from bongsu_auth.errors import AccountBlocked, RefreshRefused, SessionNotFound
from bongsu_auth.sessions import refresh_tokens

KEY_KEPT_FOR = timedelta(seconds=10)
ENDED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what lasts."""

    idle: timedelta
    absolute: timedelta
    grace: timedelta
    """How long a refresh token works after its successor was used."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How somebody signed in."""

    amr: tuple[str, ...]
    address: str | None
    user_agent: str | None
    provider: str | None = None
    """Whose word it was, where it was not a password."""

    @property
    def told(self) -> Mapping[str, str]:
        """How, for the audit log."""
        return {"how": " ".join(self.amr)} | ({"provider": self.provider} if self.provider is not None else {})


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a session gives: shown once, never stored."""

    session_id: UUID
    user_id: UUID
    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """A genuine refresh token, and the session that it is of."""

    session: UserSession
    key: bytes
    generation: int


class Sessions:
    """Opens, renews and ends sessions.

    :param vault: seals the sessions' keys, and opens the signing key.
    :param issuer: makes access tokens.
    :param lifetimes: how long what lasts.
    :param max_open: how many sessions a user may have; of more, the one longest unused ends.
    """

    def __init__(self, vault: Vault, issuer: TokenIssuer, lifetimes: Lifetimes, *, max_open: int) -> None:
        self._vault = vault
        self._issuer = issuer
        self._lifetimes = lifetimes
        self._max_open = max_open
        self._signing_key: tuple[datetime, SigningKey] | None = None

    async def open(self, user: User, how: SignIn) -> Tokens:
        """A new session of a user who has just signed in.

        :raises AccountBlocked: they were blocked meanwhile, or are gone.
        """
        user, now = await _as_is_now(user), datetime.now(UTC)
        session_id, key = uuid7(), refresh_tokens.new_key()
        session = UserSession(
            id=session_id,
            user_id=user.id,
            sealed_refresh_key=self._vault.seal(key, aad=_context(session_id)),
            generation=1,
            rotated_at=now,
            auth_time=now,
            amr=" ".join(how.amr),
            user_agent=how.user_agent,
            address=how.address,
            idle_expires_at=now + self._lifetimes.idle,
            expires_at=now + self._lifetimes.absolute,
        )
        await session.save()
        actor = Actor(user.id, address=how.address)
        target = f"session:{session_id}"
        await audit.record("session.opened", actor, subject_id=user.id, target=target, details=how.told)
        await self._make_room(session)
        return await self._tokens(session, user, key)

    async def refresh(self, text: str) -> tuple[Tokens | None, Revocation | None]:
        """New tokens for a refresh token; or none, and the revocation if its reuse ended the session.

        It returns rather than raises, because what it writes when it refuses must be committed.
        """
        shown = await self._shown(text)
        if shown is None:
            return None, None
        session, now = shown.session, datetime.now(UTC)
        # Whoever changes the user's role or blocks them waits: none of their tokens is dated after the change.
        user = await User.filter_by(id=session.user_id).lock(read=True).one_or_none()
        if user is None or not user.is_active or not _is_open(session, now):
            return None, None
        rotated = shown.generation == session.generation and await self._rotate(session, now)
        if not _is_open(session, now):  # it ended while this request waited for the row
            return None, None
        if rotated or self._is_predecessor(shown.generation, session, now):
            return await self._tokens(session, user, shown.key), None
        await audit.record("session.refresh_token_reused", subject_id=user.id, target=f"session:{session.id}")
        return None, await self._end(session, "refresh_token_reused")

    async def holder(self, text: str) -> UserSession | None:
        """The open session whose refresh token this is, without using the token; None if there is none."""
        shown = await self._shown(text)
        return shown.session if shown is not None and _is_open(shown.session, datetime.now(UTC)) else None

    async def is_open(self, session_id: UUID | None, user_id: UUID) -> bool:
        """Whether it is a session of the user that has not ended; it does not end before the unit does."""
        session = await UserSession.filter_by(id=session_id, user_id=user_id).lock(read=True).one_or_none()
        return session is not None and _is_open(session, datetime.now(UTC))

    async def reauthenticate(self, session_id: UUID, user: User, how: str) -> str:
        """Notes that the user has just proven who they are in a session; an access token that says so.

        :param how: by which method (`amr`).
        :raises SessionNotFound: it has ended.
        :raises AccountBlocked: the user was blocked meanwhile, or is gone.
        """
        user = await _as_is_now(user)
        session = (
            await UserSession.filter_by(id=session_id, user_id=user.id, ended_at__isnull=True).lock().one_or_none()
        )
        if session is None or not _is_open(session, datetime.now(UTC)):
            raise SessionNotFound
        methods = dict.fromkeys([*session.amr.split(), how])
        await session.update(auth_time=datetime.now(UTC), amr=" ".join(methods))
        return await self._access_token(session, user)

    async def end_by_token(self, text: str, address: str | None) -> Revocation | None:
        """Ends the session of a refresh token, whatever its generation; None where it had ended already.

        :raises RefreshRefused: the token was not made by us.
        """
        shown = await self._shown(text)
        if shown is None:
            raise RefreshRefused
        session = shown.session
        if session.ended_at is not None:
            return None
        actor = Actor(session.user_id, address=address)
        await audit.record("session.ended", actor, subject_id=session.user_id, target=f"session:{session.id}")
        return await self._end(session, "signed_out")

    async def _make_room(self, opened: UserSession) -> None:
        """Ends what is beyond the user's limit: some clients sign in for every call, and never out."""
        others = UserSession.filter_by(user_id=opened.user_id, ended_at__isnull=True, id__ne=opened.id)
        beyond = others.order_by("-rotated_at").offset(self._max_open - 1).limit(ENDED_AT_ONCE)
        if ids := await beyond.pluck("id"):
            # This process, too, learns of the revocations by its next poll: what goes has not been used for long.
            await _end_all(others.filter_by(id__in=ids), opened.user_id, "too_many_sessions")

    async def _shown(self, text: str) -> "_Shown | None":
        """The session whose refresh token this is, of whatever generation; None if it was not made by us."""
        token = refresh_tokens.parse(text)
        session = await UserSession.get_or_none(token.session_id) if token is not None else None
        if token is None or session is None:
            return None
        try:
            key = self._vault.open(session.sealed_refresh_key, aad=_context(session.id))
        except SealBroken:
            return None
        return _Shown(session, key, token.generation) if token.is_of(key) else None

    async def _rotate(self, session: UserSession, now: datetime) -> bool:
        """Moves on to the next generation; not if another request just did, and then the session is read again."""
        before = session.generation
        changed = await UserSession.filter_by(id=session.id, generation=before, ended_at__isnull=True).update(
            generation=before + 1,
            rotated_at=now,
            idle_expires_at=min(now + self._lifetimes.idle, session.expires_at),
        )
        await session.refresh()
        return changed == 1

    def _is_predecessor(self, generation: int, session: UserSession, now: datetime) -> bool:
        """Whether a token that is not the newest still works.

        The one before the newest does: the newest has not been used yet (its use would have made another). The one
        before that does for a short time after its successor's use: a second tab, or an answer that got lost.
        """
        behind = session.generation - generation
        return behind == 1 or (behind == 2 and now <= session.rotated_at + self._lifetimes.grace)

    async def _tokens(self, session: UserSession, user: User, key: bytes) -> Tokens:
        left = session.expires_at - datetime.now(UTC)
        return Tokens(
            session_id=session.id,
            user_id=user.id,
            access_token=await self._access_token(session, user),
            refresh_token=refresh_tokens.make(key, session.id, session.generation),
            expires_in=self._issuer.lifetime_s,
            refresh_expires_in=int(min(left, self._lifetimes.idle).total_seconds()),
        )

    async def _access_token(self, session: UserSession, user: User) -> str:
        subject = TokenSubject(
            user_id=user.id,
            session_id=session.id,
            role=Role(user.role),
            scopes=SESSION_SCOPES,
            auth_time=int(session.auth_time.timestamp()),
            amr=tuple(session.amr.split()),
        )
        return self._issuer.issue(await self._current_key(), subject, after=user.tokens_denied_until)

    @property
    def access_token_s(self) -> int:
        """How long an access token works, seconds."""
        return self._issuer.lifetime_s

    async def _current_key(self) -> SigningKey:
        now = datetime.now(UTC)
        if self._signing_key is None or self._signing_key[0] <= now:
            self._signing_key = (now + KEY_KEPT_FOR, await current_signing_key(self._vault))
        return self._signing_key[1]

    @staticmethod
    async def _end(session: UserSession, reason: str) -> Revocation:
        await session.update(ended_at=datetime.now(UTC), end_reason=reason)
        return await revoke_session(session.id)


async def listed(user_id: UUID, *, limit: int, after: UUID | None) -> tuple[Sequence[UserSession], UUID | None]:
    """A page of a user's open sessions, newest first, and the id to continue after (None at the end)."""
    now = datetime.now(UTC)
    query = UserSession.filter_by(user_id=user_id, ended_at__isnull=True, idle_expires_at__gt=now, expires_at__gt=now)
    if after is not None:
        query = query.filter_by(id__lt=after)
    found = await query.order_by("-id").limit(limit + 1).all()
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


async def end(session_id: UUID, user_id: UUID, actor: Actor, reason: str = "signed_out") -> Revocation:
    """Ends one of a user's sessions.

    :raises SessionNotFound: there is none, it has ended, or it is another's.
    """
    session = await UserSession.filter_by(id=session_id, user_id=user_id, ended_at__isnull=True).first()
    if session is None:
        raise SessionNotFound
    await session.update(ended_at=datetime.now(UTC), end_reason=reason)
    await audit.record("session.ended", actor, subject_id=user_id, target=f"session:{session_id}")
    return await revoke_session(session_id)


async def end_others(user_id: UUID, kept: UUID | None, actor: Actor) -> list[Revocation]:
    """Ends every session of a user but one."""
    query = UserSession.filter_by(user_id=user_id, ended_at__isnull=True)
    if kept is not None:
        query = query.filter_by(id__ne=kept)
    ended, revocations = await _end_all(query, user_id, "signed_out")
    if ended:
        await audit.record("session.others_ended", actor, subject_id=user_id, details={"sessions": ended})
    return revocations


async def sweep_sessions() -> int:
    """Removes sessions that are over for good, a week after; how many."""
    return await sweep(UserSession, expires_at__lt=datetime.now(UTC) - timedelta(days=7))


async def _end_all(query: Query[UserSession], user_id: UUID, reason: str) -> tuple[int, list[Revocation]]:
    """Ends the sessions of a user that a query gives; how many, and the revocations of those that had live tokens."""
    now = datetime.now(UTC)
    ended = await query.update(ended_at=now, end_reason=reason)
    since = now - KEPT_FOR
    # Asked for afterwards: none that was opened meanwhile is missed. Where no refresh token was ever used, the only
    # token is that of the sign-in.
    lately = UserSession.filter_by(
        Q(generation__gt=1) | Q(auth_time__gt=since),
        user_id=user_id,
        ended_at=now,
        idle_expires_at__gt=since,
        expires_at__gt=since,
    )
    return ended, await revoke_sessions(await lately.pluck("id") if ended else [])


async def _as_is_now(user: User) -> User:
    """The user again, after a password was hashed or a provider asked; they stay as they are until the unit ends.

    :raises AccountBlocked: they were blocked meanwhile, or are gone.
    """
    found = await User.filter_by(id=user.id).lock(read=True).one_or_none()
    if found is None:
        raise AccountBlocked("The account is gone")
    if not found.is_active:
        raise AccountBlocked("The account is blocked")
    return found


def _is_open(session: UserSession, now: datetime) -> bool:
    return session.ended_at is None and min(session.idle_expires_at, session.expires_at) > now


def _context(session_id: UUID) -> str:
    return f"sessions.refresh_key:{session_id}"
