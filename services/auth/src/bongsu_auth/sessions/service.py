"""The rules of sessions. Methods that write need an open unit of work.

Opening, renewing and ending are in one file, because they rely on the same locks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from bongsu.contracts.tokens import AccessClaims
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.models import LinkedAccount, Revocation, User, UserSession
from bongsu.identity.revocations import KEPT_FOR, RevocationFeed, revoke_session, revoke_sessions
from bongsu.identity.sweeps import sweep
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, Q, Query, uuid7
from bongsu.runtime.id_pages import page_by_id
from bongsu_auth.accounts.models import MailLink
from bongsu_auth.errors import (
    AccountBlocked,
    IdentityUnlinked,
    RefreshRefused,
    SessionNotFound,
)
from bongsu_auth.notices.device_names import device_name
from bongsu_auth.notices.service import SecurityNotices
from bongsu_auth.sessions import refresh_tokens
from bongsu_auth.sessions.access_tokens import AccessTokens, TokenOwner
from bongsu_auth.sessions.account import Account, SignIn, read_accounts
from bongsu_auth.sessions.rotation import Lifetimes, Rotation

ENDED_PER_SIGN_IN = 500
_OPENED_COLUMNS = (
    *("id", "user_id", "sealed_refresh_key", "generation", "rotated_at", "auth_time", "amr", "user_agent", "address"),
    *("idle_expires_at", "expires_at"),
)
"""The columns of a new session; the others have their defaults."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session. They are returned once and never stored. Times are in seconds.

    :param refresh_token: None if the session's refresh token stays as it is.
    """

    access_token: str
    expires_in: int
    refresh_token: str | None = None
    refresh_expires_in: int = 0


class Sessions:
    """Opens, renews and ends sessions.

    :param database: for its ambient unit of work.
    :param revocations: this process's own, which learns of a revocation when it is committed.
    :param vault: seals the keys of the sessions' refresh tokens.
    :param notices: notifies owners of new devices and of ended sessions.
    :param max_open: sessions per user; a sign-in beyond that ends the one unused for longest.
    """

    def __init__(  # noqa: PLR0913 - each is one collaborator
        self,
        database: Database,
        revocations: RevocationFeed,
        vault: Vault,
        access_tokens: AccessTokens,
        lifetimes: Lifetimes,
        *,
        notices: SecurityNotices,
        max_open: int,
    ) -> None:
        self._database = database
        self._revocations = revocations
        self._rotation = Rotation(vault, lifetimes)
        self._access_tokens = access_tokens
        self._lifetimes = lifetimes
        self._notices = notices
        self._max_open = max_open

    def deny(self, *revoked: Revocation) -> None:
        """Deny tokens in this process as soon as the unit of work commits, not only after the next poll."""
        unit = self._database.ambient()
        assert unit is not None  # noqa: S101 - a revocation was written in it
        for revocation in revoked:
            unit.on_commit(partial(self._revocations.add, revocation))

    async def open(self, user: User, how: SignIn) -> Tokens:
        """Open a session of a user who has just signed in.

        :raises AccountBlocked: the user was blocked or deleted in the meantime.
        :raises IdentityUnlinked: the provider account was unlinked in the meantime.
        """
        [opened] = await self.open_all([(user, how)])
        if isinstance(opened, AccountBlocked):
            raise opened
        # After the user was locked: unlinking locks the user as well.
        if how.provider is not None and not await _is_linked(user.id, how.provider):
            raise IdentityUnlinked
        return opened

    async def open_all(self, sign_ins: Sequence[tuple[User, SignIn]]) -> Sequence[Tokens | AccountBlocked]:
        """Open the sessions of users who have just signed in, with few statements.

        Returns one result each, in order; AccountBlocked where the user was blocked or deleted in the meantime.
        """
        unit = self._database.ambient()
        assert unit is not None  # noqa: S101 - the caller opened it
        now, found = datetime.now(UTC), dict[int, Account]()
        accounts = await read_accounts(unit.session, [(user.id, how) for user, how in sign_ins])
        for index, (account, (user, how)) in enumerate(zip(accounts, sign_ins, strict=True)):
            if account is not None and account.may_open(user, how):
                found[index] = account
        opened = {index: self._new_session(account, sign_ins[index][1], now) for index, account in found.items()}
        for index, account in found.items():
            if account.is_new_device and not sign_ins[index][1].known_device:
                await self._notify_of_device(opened[index][0])
        # As rows: objects would be completed and kept in the unit of work, which takes longer than the rest.
        rows = [{name: getattr(session, name) for name in _OPENED_COLUMNS} for session, _ in opened.values()]
        await UserSession.bulk_create(rows, savepoint=False)
        await audit.record_all([_opened_entry(session, sign_ins[index][1]) for index, (session, _) in opened.items()])
        together = Counter(account.id for account in found.values())
        # Once for each user: two that make room would each end the other's session.
        newest = {account.id: (account, opened[index][0]) for index, account in found.items()}
        for account, session in newest.values():
            if account.open_sessions + together[account.id] > self._max_open:
                await self._make_room(session)
        return [
            await self._issue(opened[index][0], found[index], opened[index][1]) if index in found else AccountBlocked()
            for index in range(len(sign_ins))
        ]

    def _new_session(self, account: Account, how: SignIn, now: datetime) -> tuple[UserSession, bytes]:
        session_id, key = uuid7(), refresh_tokens.new_key()
        session = UserSession(
            id=session_id,
            user_id=account.id,
            sealed_refresh_key=self._rotation.seal(key, session_id),
            generation=1,
            rotated_at=now,
            auth_time=now,
            amr=" ".join(how.amr),
            user_agent=how.user_agent,
            address=how.address,
            idle_expires_at=now + self._lifetimes.idle,
            expires_at=now + self._lifetimes.absolute,
        )
        return session, key

    async def _notify_of_device(self, session: UserSession) -> None:
        user, actor = await User.get(session.user_id), Actor(session.user_id, address=session.address)
        device = device_name(session.user_agent)
        target = f"session:{session.id}"
        await self._notices.record("session.new_device", user, actor, target=target, subject=device)

    async def refresh(self, text: str, address: str | None) -> Tokens | None:
        """Exchange a refresh token for new tokens; None if it is refused. The reuse of an old one ends the session.

        It returns None instead of raising, because the end of the session must be committed.

        :param address: the client's, for the audit log and the notice.
        """
        presented = await self._rotation.find(text)
        if presented is None:
            return None
        session, now = presented.session, datetime.now(UTC)
        # A change of the user's role, or a block, waits for this lock: none of their tokens is dated after the change.
        user = await User.filter_by(id=session.user_id).lock(read=True).one_or_none()
        if user is None or not user.is_active or not _is_open(session, now):
            return None
        is_accepted = await self._rotation.exchange(presented, now)
        if not _is_open(session, now):  # it ended while this request waited for the row
            return None
        if is_accepted:
            return await self._issue(session, user, presented.key)
        await self._notices.record(
            "session.refresh_token_reused",
            user,
            Actor(address=address),
            target=f"session:{session.id}",
            subject=device_name(session.user_agent),
        )
        await _void_email_links(user.id)
        await self._end(session, "refresh_token_reused")
        return None

    async def has_just_issued(self, claims: AccessClaims) -> bool:
        """Return whether an access token was issued within the grace, and nothing was revoked or changed since."""
        now = datetime.now(UTC)
        if claims.iat < (now - self._lifetimes.grace).timestamp():
            return False
        session, user = await UserSession.get_or_none(claims.sid), await User.get_or_none(claims.sub)
        return (
            session is not None
            and user is not None
            and session.user_id == user.id
            and _is_open(session, now)
            and user.is_active
            and user.tokens_denied_until < claims.iat
        )

    async def find_holder(self, text: str) -> UserSession | None:
        """Return the open session of a refresh token, without using the token."""
        presented = await self._rotation.find(text)
        return presented.session if presented is not None and _is_open(presented.session, datetime.now(UTC)) else None

    async def is_open(self, session_id: UUID | None, user_id: UUID) -> bool:
        """Return whether a session of the user has not ended. It does not end before the unit of work does."""
        session = await UserSession.filter_by(id=session_id, user_id=user_id).lock(read=True).one_or_none()
        return session is not None and _is_open(session, datetime.now(UTC))

    async def reauthenticate(self, session_id: UUID, user: User, used: Sequence[str], actor: Actor) -> Tokens:
        """Record that the user has just authenticated in a session. Returns a new access token.

        :param used: the methods, for `amr`.
        :raises SessionNotFound: the session has ended.
        :raises AccountBlocked: the user was blocked or deleted in the meantime.
        """
        user = await lock_active(user, password_checked="pwd" in used)
        session = (
            await UserSession.filter_by(id=session_id, user_id=user.id, ended_at__isnull=True).lock().one_or_none()
        )
        if session is None or not _is_open(session, datetime.now(UTC)):
            raise SessionNotFound
        methods = dict.fromkeys([*session.amr.split(), *used])
        await session.update(auth_time=datetime.now(UTC), amr=" ".join(methods))
        await audit.record("session.reauthenticated", actor, subject_id=user.id, target=f"session:{session_id}")
        return Tokens(await self._access_tokens.issue(session, user), self._access_tokens.lifetime_s)

    @staticmethod
    async def list_open(user_id: UUID, *, limit: int, after: UUID | None) -> tuple[Sequence[UserSession], UUID | None]:
        """Return a page of a user's open sessions, newest first, and the ID to continue after (None at the end)."""
        now = datetime.now(UTC)
        query = UserSession.filter_by(
            user_id=user_id, ended_at__isnull=True, idle_expires_at__gt=now, expires_at__gt=now
        )
        return await page_by_id(query, limit=limit, after=after)

    async def end(self, session_id: UUID, user_id: UUID, actor: Actor) -> None:
        """Sign out of a session.

        :raises SessionNotFound: the user has no open session with this ID.
        """
        session = await _find_open(session_id, user_id)
        await audit.record("session.ended", actor, subject_id=user_id, target=f"session:{session_id}")
        await self._end(session, "signed_out")

    async def revoke(self, session_id: UUID, user: User, current: UUID | None, actor: Actor) -> None:
        """End one of a user's sessions. The end of any other than the current one is a security event.

        :raises SessionNotFound: the user has no open session with this ID.
        """
        if session_id == current:
            await self.end(session_id, user.id, actor)
            return
        session = await _find_open(session_id, user.id)
        target, device = f"session:{session_id}", device_name(session.user_agent)
        await self._notices.record("session.revoked", user, actor, target=target, subject=device)
        await _void_email_links(user.id)
        await self._end(session, "revoked")

    async def end_by_token(self, text: str, address: str | None) -> None:
        """End the session of a refresh token of any generation, if it is open.

        :raises RefreshRefused: the token is not genuine.
        """
        presented = await self._rotation.find(text)
        if presented is None:
            raise RefreshRefused
        session = presented.session
        if session.ended_at is not None:
            return
        actor = Actor(session.user_id, address=address)
        await audit.record("session.ended", actor, subject_id=session.user_id, target=f"session:{session.id}")
        await self._end(session, "signed_out")

    async def end_others(self, user: User, kept: UUID | None, actor: Actor) -> None:
        """End every session of a user except one."""
        query = UserSession.filter_by(user_id=user.id, ended_at__isnull=True)
        if kept is not None:
            query = query.filter_by(id__ne=kept)
        await _void_email_links(user.id)
        if ended := await self._end_all(query, user.id, "signed_out"):
            await self._notices.record("session.others_ended", user, actor, details={"sessions": ended})

    async def end_all(self, user_id: UUID, reason: str, *, kept: UUID | None = None) -> None:
        """End every session of a user, or every one but `kept`, without an entry in the audit log."""
        query = UserSession.filter_by(user_id=user_id, ended_at__isnull=True)
        await self._end_all(query if kept is None else query.filter_by(id__ne=kept), user_id, reason)

    async def _make_room(self, opened: UserSession) -> None:
        """End the sessions beyond the user's limit: some clients sign in for every call, and never out."""
        others = UserSession.filter_by(user_id=opened.user_id, ended_at__isnull=True, id__ne=opened.id)
        beyond = others.order_by("-rotated_at", "-id").offset(self._max_open - 1).limit(ENDED_PER_SIGN_IN)
        if ids := await beyond.pluck("id"):
            await self._end_all(others.filter_by(id__in=ids), opened.user_id, "too_many_sessions")

    async def _issue(self, session: UserSession, user: TokenOwner, key: bytes) -> Tokens:
        left = session.expires_at - datetime.now(UTC)
        return Tokens(
            access_token=await self._access_tokens.issue(session, user),
            expires_in=self._access_tokens.lifetime_s,
            refresh_token=refresh_tokens.make(key, session.id, session.generation),
            refresh_expires_in=int(min(left, self._lifetimes.idle).total_seconds()),
        )

    async def _end(self, session: UserSession, reason: str) -> None:
        await session.update(ended_at=datetime.now(UTC), end_reason=reason)
        self.deny(await revoke_session(session.id))

    async def _end_all(self, query: Query[UserSession], user_id: UUID, reason: str) -> int:
        """End the sessions of a user that a query gives, and revoke those that had live tokens. Returns how many."""
        now = datetime.now(UTC)
        ended = await query.update(ended_at=now, end_reason=reason)
        since = now - KEPT_FOR
        # Read after the update, so that none that was opened in the meantime is missed. Where no refresh token was ever
        # used, the only token is that of the sign-in.
        recent = UserSession.filter_by(
            Q(generation__gt=1) | Q(auth_time__gt=since),
            user_id=user_id,
            ended_at=now,
            idle_expires_at__gt=since,
            expires_at__gt=since,
        )
        self.deny(*await revoke_sessions(await recent.pluck("id") if ended else []))
        return ended


async def sweep_sessions() -> int:
    """Delete sessions a week after they expired. Returns how many."""
    return await sweep(UserSession, expires_at__lt=datetime.now(UTC) - timedelta(days=7))


async def lock_active(user: User, *, password_checked: bool) -> User:
    """Read the user again, after slow work, and keep them as they are until the unit of work ends.

    :param password_checked: the user authenticated with the password that `user` has.
    :raises AccountBlocked: the user was blocked or deleted, or that password was replaced, in the meantime.
    """
    checked = user.hashed_password
    found = await User.filter_by(id=user.id).lock(read=True).one_or_none()
    if found is None or not found.is_active or (password_checked and found.hashed_password != checked):
        raise AccountBlocked
    return found


def _opened_entry(session: UserSession, how: SignIn) -> audit.Entry:
    actor = Actor(session.user_id, address=how.address)
    target = f"session:{session.id}"
    return audit.entry("session.opened", actor, subject_id=session.user_id, target=target, details=how.details)


async def _is_linked(user_id: UUID, provider: str) -> bool:
    return await LinkedAccount.filter_by(user_id=user_id, provider=provider).exists()


async def _void_email_links(user_id: UUID) -> None:
    """Void the links that change the address: a session that is not the owner's may have requested them."""
    await MailLink.filter_by(user_id=user_id, purpose="email_change").delete()


async def _find_open(session_id: UUID, user_id: UUID) -> UserSession:
    session = await UserSession.filter_by(id=session_id, user_id=user_id, ended_at__isnull=True).first()
    if session is None:
        raise SessionNotFound
    return session


def _is_open(session: UserSession, now: datetime) -> bool:
    return session.ended_at is None and session.usable_until > now
