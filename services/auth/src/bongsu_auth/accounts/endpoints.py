"""Sign-up, email verification, and the caller's own account."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi_users import InvalidPasswordException

from bongsu.identity.dependencies import identity_of
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.negotiation import preferred_language
from bongsu.runtime.problems import problems
from bongsu_auth.accounts.deletion import Deletion
from bongsu_auth.accounts.limits import SignUpLimit
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.accounts.schemas import Accepted, Me, MePatch, RegisterIn, ResendIn, Verified, VerifyIn
from bongsu_auth.errors import invalid_field
from bongsu_auth.sessions.backend import Account, CurrentUser, Strategy
from bongsu_auth.sessions.recent import require_recent
from bongsu_auth.settings import AuthSettings

RESEND_ANSWERED_AFTER_S = 0.15
"""Every resend takes this long, so that the time does not reveal whether an address has a sign-up."""

Users = Annotated[UserManager, Provided(UserManager)]

router = APIRouter(prefix="/auth", tags=["accounts"])


@router.post("/register", status_code=202, responses=problems(400, 403, 413, 422, 429, 503))
async def register(
    body: RegisterIn,
    request: Request,
    response: Response,
    users: Users,
    settings: Annotated[AuthSettings, Provided(AuthSettings)],
) -> Accepted:
    """Sign up. The response is the same whether the address is known or not; a mail tells its owner what to do next.

    The account exists once the link in the mail was used (`POST /auth/verify`).
    """
    identity = identity_of(request)
    # The cookie of the response makes this password count: another site must not plant it.
    identity.require_known_origin(request)
    browser = await users.register(
        body.email,
        body.password.get_secret_value(),
        name=body.name,
        locale=body.locale or preferred_language(request.headers.get("accept-language"), ("ko", "en"), default="ko"),
        address=identity.address(request),
    )
    max_age_s = int(settings.registration_lifetime.total_seconds())
    identity.cookies.set(response, identity.cookies.registration, browser, max_age_s=max_age_s)
    return Accepted()


@router.post("/verify", responses=problems(400, 403, 413, 422, 429, 503))
async def verify(body: VerifyIn, request: Request, response: Response, users: Users) -> Verified:
    """Verify the address with the token from the link.

    In any other browser than the one that signed up, `password` is needed, and is the account's from then on: a link
    that another person requested must not create an account with their password.
    """
    identity = identity_of(request)
    identity.require_known_origin(request)
    try:
        await users.verify(
            body.token,
            password=body.password.get_secret_value() if body.password is not None else None,
            browser=request.cookies.get(identity.cookies.registration),
            address=identity.address(request),
        )
    except InvalidPasswordException as error:
        raise invalid_field("password", str(error.reason)) from None
    identity.cookies.clear(response, identity.cookies.registration)
    return Verified()


@router.post("/verify/resend", status_code=202, responses=problems(400, 403, 413, 422, 429, 503))
async def resend(
    body: ResendIn,
    request: Request,
    users: Users,
    database: Annotated[Database, Provided(Database)],
    limit: Annotated[SignUpLimit, Provided(SignUpLimit)],
) -> Accepted:
    """Send the mail of a sign-up again. The response is the same whether there is a sign-up or not."""
    answer_at = time.monotonic() + RESEND_ANSWERED_AFTER_S
    identity = identity_of(request)
    identity.require_known_origin(request)
    await limit.count(identity.address(request))
    await database.run(users.resend, body.email, request.cookies.get(identity.cookies.registration))
    await asyncio.sleep(answer_at - time.monotonic())
    return Accepted()


@router.get("/me", responses=problems(401, 403))
async def me(user: CurrentUser) -> Me:
    """Get your account."""
    return Me.model_validate(user)


@router.delete("/me", status_code=204, responses=problems(401, 403, 409, 503))
async def delete_me(
    caller: Account,
    response: Response,
    strategy: Strategy,
    deletion: Annotated[Deletion, Provided(Deletion)],
) -> None:
    """Delete your account and your data in every service. This cannot be undone.

    You need to have authenticated within the last ten minutes (`POST /auth/reauthenticate`).
    """
    await require_recent(caller.user_id, caller.session_id)
    await deletion.delete(caller.user_id, caller.session_id, caller.actor)
    for name in (strategy.cookies.access, strategy.cookies.refresh, strategy.cookies.device):
        strategy.cookies.clear(response, name)


@router.patch("/me", responses=problems(400, 401, 403, 413, 422, 503))
async def patch_me(
    body: MePatch, caller: Account, users: Users, database: Annotated[Database, Provided(Database)]
) -> Me:
    """Change your name or language. A missing field stays as it is; a name of null is removed."""
    changes = body.model_dump(exclude_unset=True)
    if "locale" in changes and changes["locale"] is None:
        raise invalid_field("locale", "Give `ko` or `en`, or leave it out")
    return Me.model_validate(await database.run(users.update_profile, caller.user_id, changes))
