"""`/auth/mfa`: the second step of a sign-in, and turning it on and off."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.mfa.schemas import MfaVerifyIn, RecoveryCodes, TotpIn, TotpOut, TotpStarted
from bongsu_auth.mfa.service import Mfa
from bongsu_auth.sessions.backend import Account, CurrentUser, Strategy, bearer_backend, cookie_backend
from bongsu_auth.sessions.recent import require_recent
from bongsu_auth.sessions.schemas import CookiesSet, TokenPair

MfaService = Annotated[Mfa, Provided(Mfa)]
Db = Annotated[Database, Provided(Database)]

router = APIRouter(prefix="/auth/mfa", tags=["second factor"])


@router.post("/verify", response_model=TokenPair | CookiesSet, responses=problems(400, 401, 403, 413, 422, 429, 503))
async def verify(
    body: MfaVerifyIn,
    request: Request,
    strategy: Strategy,
    database: Db,
    as_cookie: Annotated[bool, Query(alias="cookie", description="Set the tokens as cookies")] = False,
) -> Response:
    """Complete a sign-in with a code of the authenticator app, or a recovery code. Each code works once."""
    token = body.mfa_token or request.cookies.get(strategy.cookies.mfa, "")
    if as_cookie or body.mfa_token is None:
        strategy.identity.require_same_origin(request)
    backend = cookie_backend if as_cookie or body.mfa_token is None else bearer_backend
    authentication = await strategy.verify_second_factor(token, body.code)
    response = await database.run(backend.login, strategy, authentication)
    strategy.cookies.clear(response, strategy.cookies.mfa)
    return response


@router.get("/totp", responses=problems(401, 403))
async def show_totp(user: CurrentUser, mfa: MfaService) -> TotpOut:
    """Get whether sign-in asks for a code of an authenticator app."""
    return TotpOut(
        enabled=user.mfa_enabled_at is not None,
        enabled_at=user.mfa_enabled_at,
        recovery_codes_left=await mfa.count_recovery_codes(user.id),
    )


@router.post("/totp", responses=problems(400, 401, 403, 409, 413, 422, 429, 503))
async def set_totp(
    caller: Account,
    response: Response,
    mfa: MfaService,
    database: Db,
    body: TotpIn | None = None,
) -> TotpStarted | RecoveryCodes:
    """Turn on codes of an authenticator app, in two steps: without `code` for a secret, then with its first code.

    You need to have authenticated within the last ten minutes (`POST /auth/reauthenticate`).
    """
    await require_recent(caller.user_id, caller.session_id)
    response.headers["Cache-Control"] = "no-store"
    if body is None or body.code is None:
        secret, uri = await database.run(mfa.start, caller.user_id)
        return TotpStarted(secret=secret, otpauth_uri=uri)
    return RecoveryCodes(
        recovery_codes=await database.run(mfa.enable, caller.user_id, caller.session_id, body.code, caller.actor)
    )


@router.delete("/totp", status_code=204, responses=problems(401, 403, 409, 503))
async def delete_totp(caller: Account, mfa: MfaService, database: Db) -> None:
    """Turn the codes off. You need to have authenticated within the last ten minutes, with a code as well."""
    await require_recent(caller.user_id, caller.session_id)
    await database.run(mfa.disable, caller.user_id, caller.actor)


@router.post("/recovery-codes", responses=problems(401, 403, 409, 503))
async def replace_recovery_codes(caller: Account, response: Response, mfa: MfaService, database: Db) -> RecoveryCodes:
    """Create new recovery codes. The earlier ones stop working."""
    await require_recent(caller.user_id, caller.session_id)
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodes(recovery_codes=await database.run(mfa.replace_recovery_codes, caller.user_id, caller.actor))
