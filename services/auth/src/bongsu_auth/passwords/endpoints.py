"""`/auth/password`: forgotten, reset and changed passwords."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi_users import InvalidPasswordException

from bongsu.identity.dependencies import identity_of
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.accounts.limits import SignUpLimit
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.accounts.schemas import Accepted
from bongsu_auth.errors import invalid_field
from bongsu_auth.passwords.schemas import ForgotIn, PasswordIn, ResetIn
from bongsu_auth.sessions.backend import Account, CurrentUser, Strategy
from bongsu_auth.sessions.recent import require_recent

FORGOT_ANSWERED_AFTER_S = 0.2
"""Every request takes this long, so that the time does not reveal whether an address has an account."""

Users = Annotated[UserManager, Provided(UserManager)]

router = APIRouter(prefix="/auth/password", tags=["passwords"])


@router.post("/forgot", status_code=202, responses=problems(400, 413, 422, 429, 503))
async def forgot(
    body: ForgotIn,
    request: Request,
    users: Users,
    database: Annotated[Database, Provided(Database)],
    limit: Annotated[SignUpLimit, Provided(SignUpLimit)],
) -> Accepted:
    """Request a link that sets a new password. The response is the same whether the address has an account or not."""
    answer_at = time.monotonic() + FORGOT_ANSWERED_AFTER_S
    await limit.count(identity_of(request).address(request))
    await database.run(users.request_reset, body.email)
    await asyncio.sleep(answer_at - time.monotonic())
    return Accepted()


@router.post("/reset", status_code=204, responses=problems(400, 413, 422, 503))
async def reset(body: ResetIn, request: Request, users: Users) -> None:
    """Set a new password with the token of the mail, which works once. Every session of the account ends."""
    try:
        await users.reset_password(
            body.token, body.password.get_secret_value(), address=identity_of(request).address(request)
        )
    except InvalidPasswordException as error:
        raise invalid_field("password", str(error.reason)) from None


@router.put("", status_code=204, responses=problems(400, 401, 403, 409, 413, 422, 429, 503))
async def change(
    body: PasswordIn,
    caller: Account,
    user: CurrentUser,
    users: Users,
    strategy: Strategy,
) -> None:
    """Change your password, or set the first one. Your other sessions end.

    You need to have authenticated within the last ten minutes (`POST /auth/reauthenticate`).
    """
    await require_recent(caller.user_id, caller.session_id)
    if user.hashed_password:
        if body.current is None:
            raise invalid_field("current", "Enter your current password")
        await strategy.check_password(users, user, body.current.get_secret_value())
    try:
        await users.change_password(user, caller.session_id, body.new.get_secret_value(), caller.actor)
    except InvalidPasswordException as error:
        raise invalid_field("new", str(error.reason)) from None
