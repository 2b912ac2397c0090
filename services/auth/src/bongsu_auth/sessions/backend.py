"""Authentication of auth's own endpoints: fastapi-users' backends, and the account that makes a request."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi_users import FastAPIUsers
from fastapi_users.authentication import AuthenticationBackend

from bongsu.identity.dependencies import Caller, identity_of, require_account
from bongsu.identity.errors import AccessTokenRefused
from bongsu.identity.models import User
from bongsu.runtime.dependencies import find
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.errors import AccountBlocked
from bongsu_auth.sessions.strategy import Authentication, SessionStrategy, session_strategy
from bongsu_auth.sessions.transport import BearerTransport, CookieTransport


class SessionBackend(AuthenticationBackend[User, UUID]):  # type: ignore[type-var]  # as in `accounts.users`
    """Signs in with both tokens of a session."""

    transport: BearerTransport | CookieTransport

    async def login(  # type: ignore[override]  # the strategy is ours, made for one request
        self, strategy: SessionStrategy, authentication: Authentication, location: str | None = None
    ) -> Response:
        """Open a session, in the unit of work that `SessionStrategy.write_token` asks for. Send the response after it.

        If the user has a second factor that was not checked yet, the response asks for it instead.

        :param location: where the browser goes after the sign-in; None for a JSON response.
        """
        user = authentication.user
        if user.has_second_factor and authentication.factor is None:
            token = await strategy.write_challenge(authentication)
            return self.transport.get_challenge_response(token, strategy.cookies, location)
        tokens = await strategy.write_token(authentication)
        response = await self.transport.get_login_response(tokens, strategy.cookies, location)
        strategy.remember_device(response, user)
        return response


class CookieBackend(SessionBackend):
    """Signs in and out with cookies."""

    transport: CookieTransport

    async def logout(  # type: ignore[override]  # as in `login`; without a user, the token is a refresh token
        self, strategy: SessionStrategy, user: User | None, token: str
    ) -> Response:
        """End a session, in the caller's unit of work, and delete the cookies."""
        await strategy.destroy_token(token, user)
        return await self.transport.get_logout_response(strategy.cookies)


async def get_user_manager(request: Request) -> UserManager:  # not `def`: FastAPI would run it in a thread
    """Return the app's manager."""
    return find(request.app, UserManager)


bearer_backend = SessionBackend("bearer", BearerTransport(), session_strategy)
cookie_backend = CookieBackend("cookie", CookieTransport(), session_strategy)

# Its Authenticator tries every backend on every request: a provider's backend, which serves sign-ins only, is not here.
fastapi_users = FastAPIUsers[User, UUID](get_user_manager, [bearer_backend, cookie_backend])  # type: ignore[type-var]  # as above

Strategy = Annotated[SessionStrategy, Depends(session_strategy)]
OptionalUser = Annotated[User | None, Depends(fastapi_users.current_user(optional=True))]


async def current_account(request: Request, user: OptionalUser, strategy: Strategy) -> Caller:
    """Return the caller of a request that a signed-in user makes.

    :raises Unauthorised: no credential, or one that is not valid.
    :raises Forbidden: an API key.
    :raises AccountBlocked: the token is still valid, but the account is blocked.
    """
    if user is not None and strategy.caller is not None:
        if not user.is_active:
            raise AccountBlocked
        return await require_account(strategy.caller)
    caller = await identity_of(request).identify(request)  # raises the error that fits, unless it is an API key
    await require_account(caller)
    raise AccessTokenRefused  # the account no longer exists


Account = Annotated[Caller, Depends(current_account)]


async def current_user(_caller: Account, user: OptionalUser) -> User:
    """Return the user who makes a request; errors as `current_account`."""
    assert user is not None  # noqa: S101 - `current_account` requires it
    return user


CurrentUser = Annotated[User, Depends(current_user)]
