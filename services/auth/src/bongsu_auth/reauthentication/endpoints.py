"""Proving once more who one is."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from bongsu.identity import audit
from bongsu.identity.dependencies import Caller, require_account
from bongsu.identity.models import User
from bongsu.runtime.errors import Unauthorised
from bongsu.runtime.problems import problems
from bongsu_auth.errors import PasswordMissing, PasswordRefused
from bongsu_auth.reauthentication.schemas import Reauthenticated, ReauthenticateIn
from bongsu_auth.sessions.limits import Attempt, is_device_of
from bongsu_auth.wiring import Wiring

Account = Annotated[Caller, Depends(require_account)]


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its units of work and commits before it answers."""
    router = APIRouter(prefix="/auth", tags=["sessions"])
    cookies = wiring.identity.cookies

    @router.post("/reauthenticate", responses=problems(400, 401, 403, 409, 413, 422, 429, 503))
    async def reauthenticate(
        body: ReauthenticateIn, caller: Account, request: Request, response: Response
    ) -> Reauthenticated:
        """Give your password again; for ten minutes you may then change how you sign in.

        An account without a password signs in anew with a linked account instead.
        """
        user = await _proven(wiring, body, caller, request)
        session_id = caller.session_id
        assert session_id is not None  # noqa: S101 - `require_account` saw to it
        token = await wiring.database.run(lambda: _note(wiring, session_id, user, caller))
        response.headers["Cache-Control"] = "no-store"
        expires_in = wiring.sessions.access_token_s
        if caller.method == "bearer":
            return Reauthenticated(access_token=token, token_type="Bearer", expires_in=expires_in)  # noqa: S106 - the scheme's name
        cookies.set(response, cookies.access, token, max_age_s=expires_in)
        return Reauthenticated(access_token=None, token_type="Cookie", expires_in=expires_in)  # noqa: S106 - no secret

    return router


async def _proven(wiring: Wiring, body: ReauthenticateIn, caller: Caller, request: Request) -> User:
    user = await User.get_or_none(caller.user_id)
    if user is None or not user.is_active:
        raise Unauthorised("The account is gone", code="token_refused")
    if not user.hashed_password:
        raise PasswordMissing
    device = request.cookies.get(wiring.identity.cookies.device)
    attempt = Attempt(user.email, caller.address, is_device_of(wiring.vault, device, user.id))
    await wiring.limits.require_open(attempt)
    if await wiring.users.check(user, body.password.get_secret_value()) is None:
        await wiring.limits.count_failure(attempt, wiring.database)
        raise PasswordRefused
    # As at a sign-in: guesses that were made at the same time count as well.
    await wiring.limits.require_open(attempt)
    return user


async def _note(wiring: Wiring, session_id: UUID, user: User, caller: Caller) -> str:
    token = await wiring.sessions.reauthenticate(session_id, user, "pwd")
    await audit.record("session.reauthenticated", caller.actor, subject_id=user.id, target=f"session:{session_id}")
    return token
