"""Accounts: fastapi-users' manager, with transactions, and with passwords hashed outside of the event loop.

One file, because fastapi-users puts all of it on one class.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import BaseUserManager, InvalidPasswordException, UUIDIDMixin, schemas

from bongsu import mixins, outbox
from bongsu.contracts.audit import AuditAction
from bongsu.contracts.queues import USERS_CHANGED
from bongsu.contracts.users import UserBlocked, UserRoleChanged
from bongsu.identity import audit
from bongsu.identity.audit import SYSTEM, Actor
from bongsu.identity.models import Revocation, User, UserSession
from bongsu.identity.revocations import revoke_user
from bongsu.identity.scopes import Role
from bongsu.identity.sweeps import sweep
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu.runtime.networks import client_network
from bongsu_auth.accounts.credentials import Credentials
from bongsu_auth.accounts.limits import SignUpLimit
from bongsu_auth.accounts.mails import MAX_MAILS, SignUpMails
from bongsu_auth.accounts.models import MailLink, Registration
from bongsu_auth.accounts.passwords import PasswordHasher, password_problem
from bongsu_auth.accounts.users import UserDatabase
from bongsu_auth.digests import digest
from bongsu_auth.errors import AddressTaken, LinkRefused, PasswordRequired, VerificationRefused

MAX_ATTEMPTS = 10
"""Passwords that are hashed for one token, after which it no longer works: each costs as much as a sign-up."""


@dataclass(frozen=True, slots=True)
class SignUps:
    """The collaborators of a sign-up. `new_accounts` is the `sending` of a new account: `trial` or `live`."""

    vault: Vault
    mails: SignUpMails
    limit: SignUpLimit
    new_accounts: str


class UserManager(UUIDIDMixin, BaseUserManager[User, UUID]):  # type: ignore[type-var]  # as in `users`
    """Creates, verifies and authenticates accounts.

    `create`, `register`, `verify` and `authenticate` hash passwords, so they open their own units of work after that.
    Every other method runs in the caller's.

    :param sign_ups: None in an operator's command, where no user signs up.
    :param credentials: None there, too.
    """

    user_db: UserDatabase

    def __init__(
        self,
        user_db: UserDatabase,
        hasher: PasswordHasher,
        database: Database,
        sign_ups: SignUps | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        super().__init__(user_db, hasher.helper)
        self._hasher = hasher
        self._database = database
        self._sign_ups = sign_ups
        self._credentials = credentials

    async def authenticate(self, credentials: OAuth2PasswordRequestForm) -> User | None:
        """Return the user if the password is right and the account may be used. The work is the same if not.

        :raises Unavailable: too many passwords wait to be hashed.
        """
        user = await self.user_db.get_by_email(credentials.username)
        verdict = await self._hasher.verify(credentials.password, user.hashed_password if user is not None else None)
        if user is None or not verdict.right or not user.is_active or not user.is_verified:
            return None
        if verdict.rehashed is not None:
            verified = User.filter_by(id=user.id, hashed_password=user.hashed_password)
            if not await verified.update(hashed_password=verdict.rehashed):
                # Another sign-in was first, or the password was replaced: it may be wrong now.
                return await self.authenticate(credentials)
            user.hashed_password = verdict.rehashed
        return user

    async def record_failure(self, action: AuditAction, email: str, actor: Actor) -> None:
        """Record a wrong password in the audit log. The statements are the same for an unknown address.

        Opens its own unit of work.

        :param action: such as `session.sign_in_failed`.
        """

        async def record() -> None:
            user = await self.user_db.read_by_email(email)
            await audit.record(action, actor, subject_id=user.id if user is not None else None)

        await self._database.run(record)

    async def validate_password(self, password: str, user: schemas.BaseUserCreate | User) -> None:
        """Refuse a password that is too short, too long or equal to the address.

        :raises InvalidPasswordException: with the reason.
        """
        if problem := password_problem(password, user.email):
            raise InvalidPasswordException(problem)

    async def create(self, user_create: schemas.UC, safe: bool = False, request: Request | None = None) -> User:
        """Create an account without a mail, for operators.

        :raises AddressTaken: another account has the address.
        """
        del request
        await self.validate_password(user_create.password, user_create)
        dump = user_create.create_update_dict if safe else user_create.create_update_dict_superuser
        values: dict[str, Any] = dump()  # type: ignore[no-untyped-call]  # fastapi-users does not annotate it
        values["hashed_password"] = await self._hasher.hash(values.pop("password"))
        details = {"role": str(values.get("role", Role.USER))}
        try:
            return await self._database.run(self.add, values, by_operator=True, details=details)
        except mixins.Conflict:
            raise AddressTaken from None

    async def add(
        self,
        values: dict[str, Any],
        *,
        address: str | None = None,
        by_operator: bool = False,
        details: Mapping[str, str] | None = None,
    ) -> User:
        """Insert an account, in the caller's unit of work.

        :param values: as `UserDatabase.create` takes them.
        :param address: the client's, for the audit log.
        :raises bongsu.mixins.Conflict: another account has the address.
        """
        user = await self.user_db.create(values)
        actor = SYSTEM if by_operator else Actor(user.id, address=address)
        await audit.record("account.created", actor, subject_id=user.id, target=f"user:{user.id}", details=details)
        await self.on_after_register(user)
        return user

    async def on_after_register(self, user: User, request: Request | None = None) -> None:
        """Delete the sign-ups that wait for the address of a new account: none of them can be verified."""
        del request
        if user.email_norm is not None:
            await Registration.filter_by(email_norm=user.email_norm).delete()

    async def register(self, email: str, password: str, *, name: str | None, locale: str, address: str | None) -> str:
        """Store a sign-up and send one mail. Statements and time are the same for a known address.

        Nothing is stored beyond the limit of mails for the address: it could not be proven without a mail.

        :param address: the client's, for the limit on sign-ups.
        :return: a secret for the browser that signs up.
        :raises TooManySignUps: the client's network reached its limit.
        """
        sign_ups = self._require_sign_ups()
        await sign_ups.limit.count(address)
        browser = secrets.token_urlsafe(32)
        hashed = await self._hasher.hash(password)
        network = client_network(address)
        await self._database.run(self._store_sign_up, email, hashed, browser, network, name=name, locale=locale)
        return browser

    async def _store_sign_up(  # noqa: PLR0913 - each is one field of the sign-up
        self, email: str, hashed: str, browser: str, network: str, *, name: str | None, locale: str
    ) -> None:
        sign_ups = self._require_sign_ups()
        if await sign_ups.mails.is_limit_reached(email, network):
            return
        token, registration_id = secrets.token_urlsafe(32), uuid7()
        await Registration.create(
            id=registration_id,
            email_norm=email,
            hashed_password=hashed,
            name=name,
            locale=locale,
            token_digest=digest(token),
            sealed_token=sign_ups.vault.seal(token, aad=_token_context(registration_id)),
            browser_digest=digest(browser),
            network=network,
            mails=1,
            expires_at=datetime.now(UTC) + sign_ups.mails.lifetime,
        )
        await self.on_after_request_verify(User(email_norm=email, locale=locale), token)

    async def on_after_request_verify(self, user: User, token: str, request: Request | None = None) -> None:
        """Mail the link; to the owner of a known address, that an account exists.

        :param user: the account that the sign-up asks for, not stored.
        """
        del request
        mails = self._require_sign_ups().mails
        if await User.filter_by(email_norm=user.email_norm).exists():
            await mails.send_account_exists(to=user.email, locale=user.locale)
        else:
            await mails.send_link(to=user.email, locale=user.locale, token=token)

    async def resend(self, email: str, browser: str | None) -> None:
        """Send the link of a waiting sign-up again: that of this browser, else the newest. Does nothing without one."""
        sign_ups, now = self._require_sign_ups(), datetime.now(UTC)
        waiting = await Registration.filter_by(email_norm=email, expires_at__gt=now).order_by("-id").limit(20).all()
        if not waiting:
            return
        chosen = next((row for row in waiting if browser is not None and is_of_browser(row, browser)), waiting[0])
        if await sign_ups.mails.is_limit_reached(email, chosen.network):
            return
        if not await Registration.filter_by(id=chosen.id, mails__lt=MAX_MAILS).update(mails=Registration.mails + 1):
            return
        token = sign_ups.vault.open_text(chosen.sealed_token, aad=_token_context(chosen.id))
        await self.on_after_request_verify(User(email_norm=email, locale=chosen.locale), token)

    async def verify(
        self,
        token: str,
        request: Request | None = None,
        *,
        password: str | None = None,
        browser: str | None = None,
        address: str | None = None,
    ) -> User:
        """Create the account of a sign-up whose address is proven by the token of its mail.

        Any of the mails works for the owner of the address: another person may have signed up with it, and their
        password counts in their own browser only. An unknown, used or expired token costs one look-up.

        :param password: replaces the password of the sign-up; needed in any other browser than the one that signed up.
        :param browser: the secret that `register` returned.
        :raises PasswordRequired: no password, and another browser.
        :raises InvalidPasswordException: the password breaks the policy.
        :raises VerificationRefused: the token does not work, or another sign-up for the address was proven first.
        :raises TooManySignUps: the client's network reached its limit with tokens that do not work.
        """
        del request
        waiting = await _find_waiting(token)
        if waiting is None:
            await self._require_sign_ups().limit.count(address)
            raise VerificationRefused
        hashed = None
        if password is not None:
            await self.validate_password(password, User(email_norm=waiting.email_norm))
            attempts = Registration.filter_by(id=waiting.id, attempts__lt=MAX_ATTEMPTS)
            if not await attempts.update(attempts=Registration.attempts + 1):
                raise VerificationRefused
            hashed = await self._hasher.hash(password)
        elif browser is None or not is_of_browser(waiting, browser):
            raise PasswordRequired
        try:
            return await self._database.run(self._activate, waiting.id, hashed, address)
        except mixins.Conflict:
            # Another sign-up for the address was proven at the same moment.
            raise VerificationRefused from None

    async def _activate(self, registration_id: UUID, hashed: str | None, address: str | None) -> User:
        # The lock makes two uses of one token take turns.
        registration = await Registration.filter_by(id=registration_id).lock().one_or_none()
        if registration is None or await User.filter_by(email_norm=registration.email_norm).exists():
            raise VerificationRefused
        return await self.add(
            {
                "email": registration.email_norm,
                "is_verified": True,
                "hashed_password": hashed or registration.hashed_password,
                "name": registration.name,
                "locale": registration.locale,
                "sending": self._require_sign_ups().new_accounts,
            },
            address=address,
        )

    async def request_reset(self, email: str) -> None:
        """Mail a link to the owner of an address, in the caller's unit of work. Does nothing for an unknown one."""
        user = await self.user_db.read_by_email(email)
        if user is not None and user.is_active and user.is_verified:
            await self.forgot_password(user)

    async def forgot_password(self, user: User, request: Request | None = None) -> None:
        """Mail a link by which the owner sets a new password, in the caller's unit of work."""
        token = await self._require_credentials().links.create("password_reset", user, user.email)
        if token is not None:
            await self.on_after_forgot_password(user, token, request)

    async def on_after_forgot_password(self, user: User, token: str, request: Request | None = None) -> None:
        """Mail the link."""
        del request
        links = self._require_credentials().links
        await links.send("password_reset", to=user.email, locale=user.locale, token=token)

    async def reset_password(
        self, token: str, password: str, request: Request | None = None, *, address: str | None = None
    ) -> User:
        """Set a password with the token of a mail, end every session of the account, and notify its owner.

        :param address: the client's, for the audit log.
        :raises InvalidPasswordException: with the reason.
        :raises LinkRefused: the token is unknown, used or expired. That takes no hashing.
        """
        del request
        credentials = self._require_credentials()
        link = await credentials.links.find("password_reset", token)
        user = await self.user_db.get(link.user_id) if link is not None else None
        if link is None or user is None:
            raise LinkRefused
        await self.validate_password(password, user)
        hashed = await self._hasher.hash(password)
        return await self._database.run(self._reset, link, hashed, address)

    async def _reset(self, link: MailLink, hashed: str, address: str | None) -> User:
        user = await self._require_credentials().use_reset(link, hashed)
        await self.on_after_reset_password(user, address=address)
        return user

    async def on_after_reset_password(
        self, user: User, request: Request | None = None, *, address: str | None = None
    ) -> None:
        """End every session of the account, and notify its owner, in the caller's unit of work."""
        del request
        await self._require_credentials().end_after_reset(user, address)

    async def change_password(self, user: User, session_id: UUID | None, password: str, actor: Actor) -> None:
        """Set a password for a user who is signed in; errors as `reset_password` and `Credentials.change_password`."""
        await self.validate_password(password, user)
        hashed = await self._hasher.hash(password)
        await self._database.run(self._require_credentials().change_password, user, session_id, hashed, actor)

    async def update_profile(self, user_id: UUID, changes: dict[str, str | None]) -> User:
        """Change name or language of an account."""
        return await self.user_db.update(await self.get(user_id), changes)

    async def set_role(self, user: User, role: Role, actor: Actor = SYSTEM) -> Revocation | None:
        """Give a user a role. Tokens that carry the old role are denied. `user` must belong to this unit of work."""
        await User.filter_by(id=user.id).lock().one()  # reads `user` again
        if user.role == role:
            return None
        before = user.role
        await user.update(role=role.value)
        await audit.record(
            "user.role_changed",
            actor,
            subject_id=user.id,
            target=f"user:{user.id}",
            details={"from": before, "to": role.value},
        )
        changed = UserRoleChanged(user_id=user.id, role=role.value, at=datetime.now(UTC))
        await outbox.append(USERS_CHANGED, changed.model_dump(mode="json"))
        return await revoke_user(user)

    async def block(self, user: User, actor: Actor = SYSTEM) -> Revocation:
        """Block an account: deny its tokens, end its sessions, and stop its keys."""
        await user.update(status="blocked")
        await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).update(
            ended_at=datetime.now(UTC), end_reason="user_blocked"
        )
        await audit.record("user.blocked", actor, subject_id=user.id, target=f"user:{user.id}")
        blocked = UserBlocked(user_id=user.id, at=datetime.now(UTC))
        await outbox.append(USERS_CHANGED, blocked.model_dump(mode="json"))
        return await revoke_user(user)

    async def unblock(self, user: User, actor: Actor = SYSTEM) -> None:
        """Unblock an account. The user has to sign in again."""
        await user.update(status="active")
        await audit.record("user.unblocked", actor, subject_id=user.id, target=f"user:{user.id}")

    def _require_sign_ups(self) -> SignUps:
        if self._sign_ups is None:
            raise TypeError("this manager has no `sign_ups`")
        return self._sign_ups

    def _require_credentials(self) -> Credentials:
        if self._credentials is None:
            raise TypeError("this manager has no `credentials`")
        return self._credentials


async def _find_waiting(token: str) -> Registration | None:
    found = await Registration.filter_by(token_digest=digest(token)).first()
    if found is None or found.expires_at <= datetime.now(UTC) or found.attempts >= MAX_ATTEMPTS:
        return None
    return found


def is_of_browser(registration: Registration, browser: str) -> bool:
    """Return whether the sign-up was made in the browser that holds this secret."""
    return hmac.compare_digest(registration.browser_digest, digest(browser))


async def sweep_registrations() -> int:
    """Delete expired sign-ups. Returns how many."""
    return await sweep(Registration, expires_at__lt=datetime.now(UTC))


def _token_context(registration_id: UUID) -> str:
    return f"registrations.token:{registration_id}"
