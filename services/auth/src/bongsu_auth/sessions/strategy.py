"""Sessions as fastapi-users' strategy, made for one request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request, Response
from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import BaseUserManager
from fastapi_users.authentication import Strategy
from fastapi_users.exceptions import UserNotExists

from bongsu.contracts.text import is_allowed
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.callers import SAFE_METHODS, Caller
from bongsu.identity.dependencies import identity_of
from bongsu.identity.models import User
from bongsu.identity.tokens import TokenRefused
from bongsu.mixins import Database
from bongsu.runtime.dependencies import find
from bongsu.runtime.errors import Unauthorised
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.errors import (
    AccountBlocked,
    CodeRefused,
    LoginRefused,
    PasswordMissing,
    PasswordRefused,
    invalid_field,
)
from bongsu_auth.mfa.models import MfaChallenge
from bongsu_auth.mfa.service import Factor, Mfa
from bongsu_auth.sessions.account import SignIn
from bongsu_auth.sessions.counters import Reservation
from bongsu_auth.sessions.devices import MAX_AGE_S, Devices
from bongsu_auth.sessions.limits import Attempt, GuessLimits
from bongsu_auth.sessions.service import Sessions, Tokens, lock_active
from bongsu_auth.sessions.sign_ins import PasswordSignIn, PasswordSignIns


@dataclass(frozen=True, slots=True)
class Authentication:
    """A user who has just authenticated, and how.

    :param provider: the provider whose account signs in; None for a password.
    :param factor: the second factor whose code was right.
    :param guess: of a password that was checked in this request.
    """

    user: User
    provider: str | None = None
    factor: Factor | None = None
    guess: Reservation | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """For `amr` (RFC 8176)."""
        return ("fed" if self.provider is not None else "pwd", *_methods_of(self.factor))


class SessionStrategy(Strategy[User, UUID]):  # type: ignore[type-var]  # as in `accounts.users`
    """Reads, writes and destroys the tokens of sessions.

    Attributes:
        caller: the owner of the token that `read_token` accepted.
    """

    caller: Caller | None = None

    def __init__(  # noqa: PLR0913 - each is one collaborator
        self,
        request: Request,
        *,
        sessions: Sessions,
        sign_ins: PasswordSignIns,
        limits: GuessLimits,
        devices: Devices,
        mfa: Mfa,
        database: Database,
    ) -> None:
        self._request = request
        self._sessions = sessions
        self._sign_ins = sign_ins
        self._limits = limits
        self._devices = devices
        self._mfa = mfa
        self._database = database
        self.identity = identity_of(request)
        self.cookies = self.identity.cookies
        self.address = self.identity.address(request)
        self.device = devices.open(request.cookies.get(self.cookies.device))

    async def read_token(
        self,
        token: str | None,
        user_manager: BaseUserManager[User, UUID],  # type: ignore[type-var]  # as above
    ) -> User | None:
        """Return the user of an access token; None if it is not valid, or the account no longer exists.

        :raises Unavailable: the request may change something, and it is not known what was revoked recently.
        """
        if token is None:
            return None
        try:
            caller = await self.identity.caller_of(token, self._request)
            user = await user_manager.get(caller.user_id)
        except (Unauthorised, UserNotExists):
            return None
        if self._request.method not in SAFE_METHODS:
            self.identity.revocations.require_fresh()
        self.caller = caller
        return user

    async def read_refresh_cookie(self) -> str | None:
        """Return the refresh token in the browser's cookie, if it is of the device's user.

        A page of a subdomain can set this cookie, and sign the browser in to a session of an attacker. On https, it
        cannot set the cookie of the device.
        """
        token = self._request.cookies.get(self.cookies.refresh)
        if token is None:
            return None
        session = await self._sessions.find_holder(token)
        is_own = session is None or (self.device is not None and self.device.user_id == session.user_id)
        return token if is_own else None

    async def was_just_renewed(self) -> bool:
        """Return whether the browser's access token was issued within the grace, and works.

        Of tabs that are restored together, one may receive the new cookies while another is on its way to renew. To
        renew for that one again would make a third's refresh token, which is on its way too, look reused.
        """
        try:
            claims = await self.identity.tokens.verify(self._request.cookies.get(self.cookies.access, ""))
        except TokenRefused:
            return False
        return await self._database.run(self._sessions.has_just_issued, claims)

    @asynccontextmanager
    async def authenticate(self, manager: UserManager, email: str, password: str) -> AsyncIterator[Authentication]:
        """Check a password within the limits, for the block to sign in with. Call it outside of a unit of work.

        The guess stays counted until `write_token` or `write_challenge`. The next sign-ins of the account wait for the
        block's end: if they counted theirs before, several right passwords could reach the limit.

        :raises LoginRefused: address or password is wrong, or the account may not be used.
        :raises TooManyLogins: too many guesses; the password was not checked.
        """
        attempt = Attempt(email, self.address, await self._find_device(manager, email))
        async with self._limits.reserve(attempt) as guess:
            user = await manager.authenticate(OAuth2PasswordRequestForm(username=email, password=password))
            if user is not None:
                yield Authentication(user, guess=guess)
            else:
                await self._limits.confirm(guess)
        if user is None:
            await manager.record_failure("session.sign_in_failed", email, Actor(address=self.address))
            raise LoginRefused

    async def reauthenticate(self, manager: UserManager, user: User, password: str | None, code: str | None) -> Tokens:
        """Check what a user who is signed in enters again, and record it in the session. The refresh token stays.

        Each that the account has is required: the password, and a code of the second factor. Commits by itself: call
        it outside of a unit of work.

        :raises Invalid: one of them is missing.
        :raises ServiceError: as `check_password`, and CodeRefused for a wrong code.
        :raises SessionNotFound: the session has ended.
        :raises AccountBlocked: the user was blocked in the meantime.
        """
        if password is None and user.has_password:
            raise invalid_field("password", "Enter your password")
        if code is None and user.has_second_factor:
            raise invalid_field("code", "Enter a code of your authenticator app, or a recovery code")
        if password is not None or not user.has_second_factor:
            await self.check_password(manager, user, password or "")
        factor = await self._check_code(user, code) if code is not None and user.has_second_factor else None
        caller = self._require_caller()
        assert caller.session_id is not None  # noqa: S101 - an account has a session
        methods = (("pwd",) if user.has_password else ()) + _methods_of(factor)
        return await self._database.run(self._sessions.reauthenticate, caller.session_id, user, methods, caller.actor)

    async def check_password(self, manager: UserManager, user: User, password: str) -> None:
        """Check the password of a user who is signed in. Commits by itself: call it outside of a unit of work.

        :raises PasswordMissing: the account has none.
        :raises PasswordRefused: it is wrong.
        :raises TooManyLogins: too many guesses; the password was not checked.
        """
        if not user.hashed_password:
            raise PasswordMissing
        caller = self._require_caller()
        form = OAuth2PasswordRequestForm(username=user.email, password=password)
        # A session counts as a known device: what others guess does not concern it.
        attempt = Attempt(user.email, self.address, caller.session_id)
        if await self._limits.guard(attempt, lambda: manager.authenticate(form)) is None:
            await manager.record_failure("session.reauthentication_failed", user.email, caller.actor)
            raise PasswordRefused

    async def _find_device(self, manager: UserManager, email: str) -> UUID | None:
        """Return the ID of this browser's device, if the account with this address signed in from it before."""
        user = await manager.user_db.get(self.device.user_id) if self.device is not None else None
        return self.device.id if self.device is not None and user is not None and user.email_norm == email else None

    async def _check_code(self, user: User, code: str) -> Factor:
        caller = self._require_caller()
        attempt = Attempt(str(user.id), self.address, caller.session_id, secret="code")  # noqa: S106 - a kind
        factor: Factor | None = await self._limits.guard(
            attempt, lambda: self._database.run(self._mfa.use_code, user, code, caller.actor)
        )
        if factor is None:
            await self._database.run(self._record_wrong_code, user.id)
            raise CodeRefused
        return factor

    async def verify_second_factor(self, token: str, code: str) -> Authentication:
        """Complete a sign-in that waits for the second factor; return it for `write_token`.

        Commits by itself: call it outside of a unit of work.

        :raises MfaExpired: the token is unknown, used or expired.
        :raises CodeRefused: the code is wrong.
        :raises TooManyLogins: too many guesses; the code was not checked.
        """
        challenge = await self._mfa.find_challenge(token)
        known = self.device if self.device is not None and self.device.user_id == challenge.user_id else None
        device_id = known.id if known is not None else None
        attempt = Attempt(str(challenge.user_id), self.address, device_id, secret="code")  # noqa: S106 - a kind
        authentication = await self._limits.guard(attempt, lambda: self._use_code_of(challenge, code))
        if authentication is None:
            await self._database.run(self._record_wrong_code, challenge.user_id)
            raise CodeRefused
        return authentication

    async def _use_code_of(self, challenge: MfaChallenge, code: str) -> Authentication | None:
        async def use() -> Authentication:
            user = await self._mfa.use_challenge(challenge)
            factor = await self._mfa.use_code(user, code, Actor(user.id, address=self.address))
            if factor is None:
                raise CodeRefused  # so that the sign-in is not used up
            return Authentication(user, challenge.provider, factor)

        try:
            return await self._database.run(use)
        except CodeRefused:
            return None

    async def _record_wrong_code(self, user_id: UUID) -> None:
        await audit.record("mfa.code_refused", Actor(address=self.address), subject_id=user_id)

    async def write_challenge(self, authentication: Authentication) -> str:
        """Store a sign-in that waits for the second factor. Returns its token. Units of work as in `write_token`.

        :raises LoginRefused, AccountBlocked: as `write_token`.
        """
        user, guess = authentication.user, authentication.guess
        if guess is None:
            return await self._mfa.challenge(await lock_active(user, password_checked=False), authentication.provider)
        try:
            return await self._database.run(self._challenge_after_password, user, guess)
        except AccountBlocked:
            raise LoginRefused from None

    async def _challenge_after_password(self, user: User, guess: Reservation) -> str:
        token = await self._mfa.challenge(await lock_active(user, password_checked=True), None)
        await self._limits.release(guess)
        return token

    def _require_caller(self) -> Caller:
        assert self.caller is not None  # noqa: S101 - the endpoint requires an account
        return self.caller

    async def write_token(  # type: ignore[override]  # a session has two tokens, and depends on the way to sign in
        self, authentication: Authentication
    ) -> Tokens:
        """Open a session.

        After a password (`authenticate`) it commits by itself: call it outside of a unit of work. After another way to
        sign in it writes in the caller's.

        :raises LoginRefused: after a password, the user was blocked in the meantime.
        :raises AccountBlocked: the same, after a sign-in at a provider.
        """
        user, provider = authentication.user, authentication.provider
        sign_in = SignIn(
            amr=authentication.methods,
            address=self.address,
            user_agent=user_agent_of(self._request),
            provider=provider,
            known_device=self.device is not None and self.device.user_id == user.id,
        )
        try:
            if authentication.guess is None:
                return await self._sessions.open(user, sign_in)
            return await self._sign_ins.open(PasswordSignIn(user, sign_in, authentication.guess))
        except AccountBlocked:
            if provider is not None:
                raise
            raise LoginRefused from None

    async def destroy_token(self, token: str, user: User | None) -> None:
        """End the session of the access token that was read; of a refresh token if `user` is None.

        :raises SessionNotFound: the session has ended.
        :raises RefreshRefused: the refresh token is not genuine.
        """
        if user is not None and self.caller is not None and self.caller.session_id is not None:
            await self._sessions.end(self.caller.session_id, user.id, self.caller.actor)
        else:
            await self._sessions.end_by_token(token, self.address)

    def remember_device(self, response: Response, user: User) -> None:
        """Set the cookie by which attackers cannot lock this browser out."""
        self.cookies.set(response, self.cookies.device, self._devices.seal(user.id, self.device), max_age_s=MAX_AGE_S)


async def session_strategy(request: Request) -> SessionStrategy:
    """Return the strategy of a request."""
    # Not the class itself, nor a dependency for each collaborator: FastAPI would call the class in a thread.
    app = request.app
    return SessionStrategy(
        request,
        sessions=find(app, Sessions),
        sign_ins=find(app, PasswordSignIns),
        limits=find(app, GuessLimits),
        devices=find(app, Devices),
        mfa=find(app, Mfa),
        database=find(app, Database),
    )


def _methods_of(factor: Factor | None) -> tuple[str, ...]:
    """Return the second factor's part of `amr`."""
    return () if factor is None else ("otp", "mfa") if factor == "otp" else ("mfa",)


def user_agent_of(request: Request) -> str | None:
    """Return the User-Agent as sessions list it: bounded, without control characters."""
    sent = request.headers.get("user-agent")
    return "".join(char for char in sent[:255] if is_allowed(char)) if sent else None
