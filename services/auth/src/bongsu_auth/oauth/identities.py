"""The rules of linked accounts: whose account signs in, what may be linked, what may be unlinked.

Methods that write need an open unit of work.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar
from uuid import UUID

from bongsu import mixins
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.emails import normalise_email
from bongsu.identity.models import ApiKey, LinkedAccount, User, UserSession
from bongsu.identity.revocations import revoke_user
from bongsu.mixins import Database, uuid7
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.accounts.models import MailLink, Registration
from bongsu_auth.errors import (
    AccountBlocked,
    AnotherLinked,
    IdentityNotFound,
    LastWayIn,
    LinkedElsewhere,
    LoginToLink,
    StateRefused,
)
from bongsu_auth.mfa import service as mfa
from bongsu_auth.notices.service import SecurityNotices
from bongsu_auth.oauth import profiles
from bongsu_auth.oauth.grants import Grants
from bongsu_auth.oauth.port import Grant, Profile, ProviderAccount
from bongsu_auth.sessions.service import Sessions

P = ParamSpec("P")
T = TypeVar("T")

PROFILE_RETRY_AFTER = timedelta(minutes=1)
MAX_CONFLICTS = 3
"""How often a unit of work is repeated after a conflict: each time at least one other has succeeded."""


class ConcurrentSignIn(Exception):
    """Another sign-in with the same account committed between two of our reads."""


async def repeat_on_conflict(
    database: Database, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a unit of work, and run it in a new one after a concurrent write of the same row.

    A new one, because MySQL may keep showing a transaction the rows of its beginning.
    """
    for _ in range(MAX_CONFLICTS):
        try:
            return await database.run(function, *args, **kwargs)
        except (mixins.Conflict, ConcurrentSignIn):
            continue
    return await database.run(function, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class ProviderLogin:
    """A user who came back from a provider.

    :param extra: the part of the profile that took another request; None if that failed and is to be retried.
    """

    provider: str
    account: ProviderAccount
    grant: Grant
    extra: Profile | None

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Everything that is known."""
        return (self.account.profile,) if self.extra is None else (self.account.profile, self.extra)

    @property
    def email(self) -> str | None:
        """The address in our spelling; None if it is missing, or if we cannot write to it."""
        try:
            return normalise_email(self.account.email) if self.account.email else None
        except ValueError:
            return None

    @property
    def verified_email(self) -> str | None:
        """The address, if the provider verified it."""
        return self.email if self.account.email_verified else None

    @property
    def display_name(self) -> str | None:
        """The name under which the account is listed."""
        return self.account.profile.name or self.account.profile.nickname


class Identities:
    """Links provider accounts to users.

    :param new_accounts: the `sending` of a new account: `trial` or `live`.
    """

    def __init__(
        self, grants: Grants, sessions: Sessions, users: UserManager, notices: SecurityNotices, *, new_accounts: str
    ) -> None:
        self._grants = grants
        self._sessions = sessions
        self._users = users
        self._notices = notices
        self._new_accounts = new_accounts

    async def find_owner(self, login: ProviderLogin, address: str | None) -> User:
        """Return the user whose provider account it is; create and link one if it is not linked.

        :param address: the client's, for the audit log.
        :raises AccountBlocked: the user is blocked.
        :raises LoginToLink: the account with the address has another account of this provider linked.
        :raises ConcurrentSignIn: another sign-in did the same at this moment: `repeat_on_conflict`.
        :raises bongsu.mixins.Conflict: the same, found by the database.
        """
        linked = await _find_linked(login)
        if linked is None:
            known = await self._find_by_address(login, address)
            user = known or await self._create(login, address)
            await self._add(login, user, Actor(user.id, address=address), is_new=known is None)
            return user
        user = await User.get(linked.user_id)
        _require_active(user)
        self._update(linked, login)
        await linked.save()
        await _fill_address(user, login)
        return user

    async def link(self, login: ProviderLogin, user_id: UUID, session_id: UUID | None, actor: Actor) -> User:
        """Link a provider account to a user who is signed in; one that is linked to them already gets the new grant.

        :param session_id: the session that started the flow.
        :raises StateRefused: that session has ended.
        :raises LinkedElsewhere: the account is linked to another user.
        :raises AnotherLinked: the user has another account of this provider linked.
        :raises AccountBlocked: the user is blocked.
        :raises ConcurrentSignIn: as `find_owner`, and so is `bongsu.mixins.Conflict`.
        """
        # The user first and the session second: blocking locks them in this order.
        user = await User.filter_by(id=user_id).lock().one()
        _require_active(user)
        if not await self._sessions.is_open(session_id, user_id):
            raise StateRefused
        linked = await _find_linked(login)
        if linked is None:
            if await _has_another(user_id, login):
                raise AnotherLinked
            await self._add(login, user, actor)
        elif linked.user_id != user_id:
            raise LinkedElsewhere
        else:
            self._update(linked, login)
            await linked.save()
        await _fill_address(user, login)
        return user

    @staticmethod
    async def list_linked(user_id: UUID) -> tuple[Sequence[LinkedAccount], bool]:
        """Return a user's linked accounts, and whether the user can sign in with a password."""
        user = await User.get_or_none(user_id)
        found = await LinkedAccount.filter_by(user_id=user_id).order_by("provider").all()
        return found, user is not None and _has_password(user)

    async def unlink(self, user_id: UUID, provider: str, actor: Actor) -> LinkedAccount:
        """Unlink an account and return it.

        :raises IdentityNotFound: no account of this provider is linked.
        :raises LastWayIn: the user could not sign in without it.
        """
        # The lock makes two calls take turns: neither may rely on the account that the other unlinks.
        user = await User.filter_by(id=user_id).lock().one()
        accounts = await LinkedAccount.filter_by(user_id=user_id).all()
        linked = next((row for row in accounts if row.provider == provider), None)
        if linked is None:
            raise IdentityNotFound
        if len(accounts) == 1 and not _has_password(user):
            raise LastWayIn
        await linked.delete()
        await self._notices.record(
            "identity.unlinked", user, actor, target=f"identity:{provider}", subject=provider.capitalize()
        )
        return linked

    async def _create(self, login: ProviderLogin, address: str | None) -> User:
        email = login.verified_email
        values = {
            "email": email,
            "is_verified": email is not None,
            "locale": next((profile.locale for profile in login.profiles if profile.locale is not None), "ko"),
            "sending": self._new_accounts,
        }
        return await self._users.add(values, address=address, details={"provider": login.provider})

    async def _find_by_address(self, login: ProviderLogin, address: str | None) -> User | None:
        """Return the owner of the verified address.

        An address that the provider did not verify is not looked up: the answer would tell whether it has an account.
        """
        email = login.verified_email
        known = await User.filter_by(email_norm=email).first() if email is not None else None
        if known is None:
            return None
        _require_active(known)
        if not known.is_verified:
            await self._reclaim(known, Actor(address=address))
        elif await _has_another(known.id, login):
            raise LoginToLink
        return known

    async def _reclaim(self, user: User, actor: Actor) -> None:
        """Give an account to the proven owner of its address, and remove every way in of the user who created it.

        :raises ConcurrentSignIn: it was deleted, reclaimed or given another address at this moment.
        """
        email, now = user.email_norm, datetime.now(UTC)
        # A change of address or password that is in progress ends before this, and is undone; a later one is refused.
        found = await User.filter_by(id=user.id).lock().one_or_none()
        if found is None or found.email_norm != email or found.is_verified:
            raise ConcurrentSignIn
        await user.update(hashed_password="", email_verified_at=now)
        await mfa.forget(user)
        await profiles.empty(user)
        await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).update(ended_at=now, end_reason="reclaimed")
        await ApiKey.filter_by(user_id=user.id).delete()
        await LinkedAccount.filter_by(user_id=user.id).delete()
        await MailLink.filter_by(user_id=user.id).delete()
        await Registration.filter_by(email_norm=user.email_norm).delete()
        await audit.record("account.reclaimed", actor, subject_id=user.id, target=f"user:{user.id}")
        self._sessions.deny(await revoke_user(user))

    async def _add(self, login: ProviderLogin, user: User, actor: Actor, *, is_new: bool = False) -> None:
        """Link a provider account. The owner of an account that existed before gets a mail."""
        linked = LinkedAccount(
            id=uuid7(), user_id=user.id, provider=login.provider, subject=login.account.subject, scopes=""
        )
        self._update(linked, login)
        await linked.save()
        target = f"identity:{login.provider}"
        if is_new:
            await audit.record("identity.linked", actor, subject_id=user.id, target=target)
        else:
            subject = login.provider.capitalize()
            await self._notices.record("identity.linked", user, actor, target=target, subject=subject)

    def _update(self, linked: LinkedAccount, login: ProviderLogin) -> None:
        now = datetime.now(UTC)
        linked.fill(
            display_name=login.display_name,
            last_used_at=now,
            profile_due_at=now + PROFILE_RETRY_AFTER if login.extra is None else None,
            profile_attempts=0,
            **self._grants.seal(linked.id, login.grant),
        )


async def _find_linked(login: ProviderLogin) -> LinkedAccount | None:
    return await LinkedAccount.filter_by(provider=login.provider, subject=login.account.subject).first()


async def _has_another(user_id: UUID, login: ProviderLogin) -> bool:
    """Return whether the user has another account of this provider linked.

    :raises ConcurrentSignIn: it is this account, which was not linked at the read before.
    """
    linked = await LinkedAccount.filter_by(user_id=user_id, provider=login.provider).first()
    if linked is not None and linked.subject == login.account.subject:
        raise ConcurrentSignIn
    return linked is not None


async def _fill_address(user: User, login: ProviderLogin) -> None:
    """Give a user without an address the one that the provider verified, unless another user has it."""
    email = login.verified_email
    if user.email_norm is not None or email is None or await User.filter_by(email_norm=email).exists():
        return
    await user.update(email_norm=email, email_verified_at=datetime.now(UTC))
    await Registration.filter_by(email_norm=email).delete()


def _has_password(user: User) -> bool:
    """Return whether the user can sign in with a password, which takes a verified address as well."""
    return bool(user.hashed_password) and user.is_verified and user.email_norm is not None


def _require_active(user: User) -> None:
    if not user.is_active:
        raise AccountBlocked
