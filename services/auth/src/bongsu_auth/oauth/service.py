"""Who signs in with an account at a provider, and whose account it becomes. Each method needs an open unit of work."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.emails import normalise_email
from bongsu.identity.models import ApiKey, LinkedAccount, Revocation, User, UserSession
from bongsu.identity.revocations import revoke_user
from bongsu.mixins import uuid7
from bongsu_auth.accounts.models import Registration
from bongsu_auth.errors import AccountBlocked, AnotherLinked, LinkedElsewhere, LoginToLink, StateRefused
from bongsu_auth.oauth import profiles
from bongsu_auth.oauth.grants import Grants
from bongsu_auth.oauth.port import Grant, Profile, ProviderAccount
from bongsu_auth.sessions.service import Sessions, SignIn, Tokens

PROFILE_AGAIN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who came back from a provider.

    :param more: what took another request to learn; None where that failed, and is to be tried again.
    """

    provider: str
    account: ProviderAccount
    grant: Grant
    more: Profile | None

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """All that is known."""
        return (self.account.profile,) if self.more is None else (self.account.profile, self.more)

    @property
    def email(self) -> str | None:
        """The address in our spelling; None where there is none, or none that we can write to."""
        try:
            return normalise_email(self.account.email) if self.account.email else None
        except ValueError:
            return None

    @property
    def proven_email(self) -> str | None:
        """The address, if the provider vouches for it."""
        return self.email if self.account.email_verified else None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that succeeded; `revocation` denies what a squatter of the account had."""

    user: User
    tokens: Tokens
    revocation: Revocation | None


class Overtaken(Exception):
    """Another sign-in of the same account came first, between two of our reads: repeat it in a new unit."""


class OAuth:
    """The rules of linking.

    :param new_accounts: whether a new account is on trial.
    """

    def __init__(self, grants: Grants, sessions: Sessions, *, new_accounts: str) -> None:
        self._grants = grants
        self._sessions = sessions
        self._new_accounts = new_accounts

    async def sign_in(self, arrival: Arrival, how: SignIn) -> SignedIn:
        """Signs in whose account it is, or makes them one.

        :raises AccountBlocked: it is blocked.
        :raises LoginToLink: an account has the address, and it is not sure that both are of one person.
        :raises Overtaken: another sign-in did the same at this very moment: repeat it in a new unit.
        :raises bongsu.mixins.Conflict: the same, found out by the database.
        """
        revocation = None
        linked = await _linked(arrival)
        if linked is not None:
            user = await User.get(linked.user_id)
            _require_active(user)
            self._take_in(linked, arrival)
            await linked.save()
            await _take_address(user, arrival)
        else:
            user, revocation = await self._owner(arrival, Actor(address=how.address))
            await self._link(arrival, user, Actor(user.id, address=how.address))
        await profiles.fill(user, *arrival.profiles)
        return SignedIn(user, await self._sessions.open(user, how), revocation)

    async def link(self, arrival: Arrival, user_id: UUID, session_id: UUID | None, actor: Actor) -> None:
        """Links it to a user who is signed in; an account that is linked to them already gets the new grant.

        :param session_id: in which session the user asked for it.
        :raises StateRefused: that session has ended, and with it what was begun in it.
        :raises LinkedElsewhere: it is another user's.
        :raises AnotherLinked: the user has another account of this provider linked.
        :raises AccountBlocked: the user is blocked.
        :raises Overtaken: as in `sign_in`, and so is `bongsu.mixins.Conflict`.
        """
        # The user first and the session second, in the order in which blocking locks them.
        user = await User.filter_by(id=user_id).lock().one()
        _require_active(user)
        if not await self._sessions.is_open(session_id, user_id):
            raise StateRefused
        linked = await _linked(arrival)
        if linked is None:
            if await _has_another(user_id, arrival):
                raise AnotherLinked
            await self._link(arrival, user, actor)
        elif linked.user_id != user_id:
            raise LinkedElsewhere
        else:
            self._take_in(linked, arrival)
            await linked.save()
        await _take_address(user, arrival)
        await profiles.fill(user, *arrival.profiles)

    async def _owner(self, arrival: Arrival, actor: Actor) -> tuple[User, Revocation | None]:
        """To whom an account goes that is linked to nobody: the owner of its address, else somebody new."""
        known = await User.filter_by(email_norm=arrival.email).first() if arrival.email is not None else None
        if known is None:
            return await self._newcomer(arrival, actor), None
        if arrival.proven_email is None:
            raise LoginToLink
        _require_active(known)
        if not known.is_verified:
            return known, await _reclaim(known, actor)
        if await _has_another(known.id, arrival):
            raise LoginToLink
        return known, None

    async def _newcomer(self, arrival: Arrival, actor: Actor) -> User:
        email = arrival.proven_email
        user = await User.create(
            email_norm=email,
            email_verified_at=datetime.now(UTC) if email is not None else None,
            locale=next((one.locale for one in arrival.profiles if one.locale is not None), "ko"),
            sending=self._new_accounts,
        )
        if email is not None:
            await Registration.filter_by(email_norm=email).delete()
        await audit.record(
            "account.created",
            Actor(user.id, address=actor.address),
            subject_id=user.id,
            target=f"user:{user.id}",
            details={"provider": arrival.provider},
        )
        return user

    async def _link(self, arrival: Arrival, user: User, actor: Actor) -> None:
        linked = LinkedAccount(
            id=uuid7(),
            user_id=user.id,
            provider=arrival.provider,
            subject=arrival.account.subject,
            scopes="",
        )
        self._take_in(linked, arrival)
        await linked.save()
        await audit.record("identity.linked", actor, subject_id=user.id, target=f"identity:{arrival.provider}")

    def _take_in(self, linked: LinkedAccount, arrival: Arrival) -> None:
        now = datetime.now(UTC)
        linked.fill(
            display_name=_display_name(arrival),
            last_used_at=now,
            profile_due_at=now + PROFILE_AGAIN_AFTER if arrival.more is None else None,
            profile_attempts=0,
            **self._grants.sealed(linked.id, arrival.grant),
        )


async def _linked(arrival: Arrival) -> LinkedAccount | None:
    return await LinkedAccount.filter_by(provider=arrival.provider, subject=arrival.account.subject).first()


async def _has_another(user_id: UUID, arrival: Arrival) -> bool:
    """Whether the user has another account of this provider linked.

    :raises Overtaken: it is this very account, which was not linked a moment ago.
    """
    linked = await LinkedAccount.filter_by(user_id=user_id, provider=arrival.provider).first()
    if linked is not None and linked.subject == arrival.account.subject:
        raise Overtaken
    return linked is not None


async def _take_address(user: User, arrival: Arrival) -> None:
    """Gives an account without an address the one that the provider vouches for, if it is nobody's."""
    email = arrival.proven_email
    if user.email_norm is not None or email is None or await User.filter_by(email_norm=email).exists():
        return
    await user.update(email_norm=email, email_verified_at=datetime.now(UTC))
    await Registration.filter_by(email_norm=email).delete()


async def _reclaim(user: User, actor: Actor) -> Revocation:
    """Gives an account to the proven owner of its address, and takes from whoever made it every way back in."""
    now = datetime.now(UTC)
    await user.update(hashed_password="", email_verified_at=now)
    await profiles.empty(user)
    await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).update(ended_at=now, end_reason="reclaimed")
    await ApiKey.filter_by(user_id=user.id).delete()
    await LinkedAccount.filter_by(user_id=user.id).delete()
    await Registration.filter_by(email_norm=user.email_norm).delete()
    await audit.record("account.reclaimed", actor, subject_id=user.id, target=f"user:{user.id}")
    return await revoke_user(user)


def _require_active(user: User) -> None:
    if not user.is_active:
        raise AccountBlocked("The account is blocked")


def _display_name(arrival: Arrival) -> str | None:
    profile = arrival.account.profile
    return profile.name or profile.nickname
