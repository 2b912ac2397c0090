"""Signing in with a password, renewing a session, signing out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from bongsu.identity.redirects import safe_or_home
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import Unavailable
from bongsu.runtime.problems import problems
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.errors import RefreshRefused
from bongsu_auth.mfa.schemas import MfaRequired
from bongsu_auth.oauth import pages
from bongsu_auth.sessions.backend import Account, CurrentUser, OptionalUser, Strategy, bearer_backend, cookie_backend
from bongsu_auth.sessions.schemas import (
    CookiesSet,
    LoginIn,
    Reauthenticated,
    ReauthenticateIn,
    RefreshIn,
    SessionOut,
    SessionPage,
    TokenPair,
)
from bongsu_auth.sessions.service import Sessions
from bongsu_auth.sessions.transport import NO_STORE

Users = Annotated[UserManager, Provided(UserManager)]
SessionService = Annotated[Sessions, Provided(Sessions)]
Db = Annotated[Database, Provided(Database)]

router = APIRouter(prefix="/auth", tags=["sessions"])


@router.post(
    "/login", response_model=TokenPair | CookiesSet | MfaRequired, responses=problems(400, 401, 403, 413, 422, 429, 503)
)
async def login(
    body: LoginIn,
    request: Request,
    users: Users,
    strategy: Strategy,
    as_cookie: Annotated[bool, Query(alias="cookie", description="Set the tokens as cookies")] = False,
) -> Response:
    """Sign in with a password. Response and time are the same whatever is wrong.

    An account with a second factor gets `mfa_required` and continues with `POST /auth/mfa/verify`.
    """
    if as_cookie:
        strategy.identity.require_same_origin(request)
    async with strategy.authenticate(users, body.email, body.password.get_secret_value()) as authentication:
        return await (cookie_backend if as_cookie else bearer_backend).login(strategy, authentication)


@router.post(
    "/reauthenticate", response_model=Reauthenticated, responses=problems(400, 401, 403, 409, 413, 422, 429, 503)
)
async def reauthenticate(
    body: ReauthenticateIn, caller: Account, user: CurrentUser, users: Users, strategy: Strategy
) -> Response:
    """Enter your password again, and a code if the account has a second factor. Each that it has is required.

    For ten minutes you can then change how you sign in. An account with neither signs in again with a linked account.
    """
    password = body.password.get_secret_value() if body.password is not None else None
    tokens = await strategy.reauthenticate(users, user, password, body.code)
    backend = bearer_backend if caller.method == "bearer" else cookie_backend
    return await backend.transport.get_login_response(tokens, strategy.cookies)


@router.post("/refresh", response_model=TokenPair | CookiesSet, responses=problems(400, 401, 403, 413, 422, 503))
async def refresh(
    request: Request, strategy: Strategy, sessions: SessionService, database: Db, body: RefreshIn | None = None
) -> Response:
    """Exchange a refresh token for new tokens. It works once: the reuse of an old one ends the session."""
    strategy.identity.revocations.require_fresh()
    in_body = body.refresh_token if body is not None else None
    in_cookie = await strategy.read_refresh_cookie() if in_body is None else None
    if in_cookie is not None:
        strategy.identity.require_same_origin(request)
    tokens = await database.run(sessions.refresh, in_body or in_cookie or "", strategy.address)
    if tokens is None:
        raise RefreshRefused
    backend = cookie_backend if in_body is None else bearer_backend
    return await backend.transport.get_login_response(tokens, strategy.cookies)


@router.get(
    "/session/renew",
    status_code=303,
    response_class=RedirectResponse,
    responses={303: {"description": "Redirect to `next`, or to the sign-in page"}},
)
@router.post(
    "/session/renew",
    status_code=307,
    response_class=RedirectResponse,
    responses={
        303: {"description": "Redirect to the sign-in page"},
        307: {"description": "Redirect to `next`, with the form that was posted"},
        401: {"description": "The session has ended; for htmx, which goes to the sign-in page"},
    },
)
async def renew(
    request: Request,
    strategy: Strategy,
    sessions: SessionService,
    database: Db,
    next_path: Annotated[str | None, Query(alias="next", description="A path of this site")] = None,
) -> Response:
    """Renew this browser's session and redirect to `next`; to `/login?next=…` if the session has ended.

    A posted form is sent again to `next`, which checks its origin and CSRF token. For pages and their forms only.
    """
    target, is_form = safe_or_home(next_path), request.method == "POST"
    try:
        strategy.identity.revocations.require_fresh()
    except Unavailable:
        # The session is not lost: its cookies stay for the next attempt.
        return RedirectResponse(pages.login_page(error="unavailable", next_path=target), 303, NO_STORE)
    status = 307 if is_form else 303
    if await strategy.was_just_renewed():
        return RedirectResponse(target, status, NO_STORE)
    token = await strategy.read_refresh_cookie() or ""
    tokens = await database.run(sessions.refresh, token, strategy.address)
    if tokens is not None:
        response = await cookie_backend.transport.get_login_response(tokens, strategy.cookies, target)
        response.status_code = status
        return response
    error = "session_ended" if token or is_form else None
    response = await cookie_backend.transport.get_logout_response(
        strategy.cookies, location=pages.login_page(error=error, next_path=target)
    )
    if "hx-request" in request.headers:
        # htmx would follow a redirect, and show the sign-in page as a part of the present one.
        response.status_code = 401
        response.headers["HX-Redirect"] = response.headers["location"]
        del response.headers["location"]
    return response


@router.post("/logout", status_code=204, responses=problems(400, 401, 403, 413, 422, 503))
async def logout(
    request: Request, user: OptionalUser, strategy: Strategy, database: Db, body: RefreshIn | None = None
) -> Response:
    """Sign out of the session of the access token, or of the refresh token if the access token has expired."""
    cookies = strategy.cookies
    if not request.cookies.keys().isdisjoint({cookies.access, cookies.refresh}):
        strategy.identity.require_same_origin(request)
    in_body = body.refresh_token if body is not None else None
    token = in_body or request.cookies.get(cookies.refresh, "")
    has_used_cookie = in_body is None if strategy.caller is None else strategy.caller.method == "cookie"
    if has_used_cookie:
        return await database.run(cookie_backend.logout, strategy, user, token)
    # The browser's cookies may be of another session, which goes on.
    await database.run(strategy.destroy_token, token, user)
    return Response(status_code=204)


@router.get("/sessions", responses=problems(401, 403, 422))
async def list_sessions(
    caller: Account,
    sessions: SessionService,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[UUID | None, Query(description="`next` of the previous page")] = None,
) -> SessionPage:
    """List your sessions, newest first."""
    found, following = await sessions.list_open(caller.user_id, limit=limit, after=after)
    items = [
        SessionOut.model_validate(row).model_copy(update={"current": row.id == caller.session_id}) for row in found
    ]
    return SessionPage(items=items, next=str(following) if following is not None else None)


@router.delete("/sessions/{session_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
async def end_session(
    session_id: Annotated[UUID, Path()], caller: Account, user: CurrentUser, sessions: SessionService, database: Db
) -> None:
    """Sign out of one session. If it is not this one, you get a mail about it."""
    await database.run(sessions.revoke, session_id, user, caller.session_id, caller.actor)


@router.delete("/sessions", status_code=204, responses=problems(401, 403, 503))
async def end_other_sessions(caller: Account, user: CurrentUser, sessions: SessionService, database: Db) -> None:
    """Sign out of every session except this one. You get a mail about it."""
    await database.run(sessions.end_others, user, caller.session_id, caller.actor)
