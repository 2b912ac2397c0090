"""Signing in, staying signed in, signing out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from bongsu.identity.dependencies import Caller, require_account
from bongsu.identity.models import Revocation, User
from bongsu.runtime.errors import Unauthorised
from bongsu.runtime.problems import problems
from bongsu_auth.errors import AccountBlocked, LoginRefused, RefreshRefused
from bongsu_auth.sessions import service
from bongsu_auth.sessions.browser import put_tokens, user_agent_of
from bongsu_auth.sessions.limits import DEVICE_MAX_AGE_S, Attempt, device_cookie, is_device_of
from bongsu_auth.sessions.schemas import CookiesSet, LoginIn, RefreshIn, SessionOut, SessionPage, TokenPair
from bongsu_auth.sessions.service import SignIn, Tokens
from bongsu_auth.wiring import Wiring

Account = Annotated[Caller, Depends(require_account)]
AsCookie = Annotated[bool, Query(alias="cookie", description="Put the tokens into cookies instead of the body")]


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its units of work and commits before it answers."""
    router = APIRouter(prefix="/auth", tags=["sessions"])
    identity = wiring.identity
    cookies = identity.cookies

    @router.post("/login", responses=problems(400, 401, 403, 413, 422, 429, 503))
    async def login(
        body: LoginIn, request: Request, response: Response, as_cookie: AsCookie = False
    ) -> TokenPair | CookiesSet:
        """Sign in. Whatever is wrong, the answer and the time are those of a wrong password."""
        if as_cookie:
            identity.require_same_origin(request)
        user, tokens = await _login(wiring, body, request)
        cookies.set(response, cookies.device, device_cookie(wiring.vault, user.id), max_age_s=DEVICE_MAX_AGE_S)
        return _answer(wiring, response, tokens, as_cookie=as_cookie)

    @router.post("/refresh", responses=problems(400, 401, 403, 413, 422, 503))
    async def refresh(request: Request, response: Response, body: RefreshIn | None = None) -> TokenPair | CookiesSet:
        """New tokens for a refresh token, which works once: using an older one again ends the session."""
        identity.revocations.require_fresh()
        given = body.refresh_token if body is not None else None
        in_cookie = request.cookies.get(cookies.refresh)
        if given is None and in_cookie is not None:
            identity.require_same_origin(request)
        tokens, revoked = await wiring.database.run(lambda: wiring.sessions.refresh(given or in_cookie or ""))
        if revoked is not None:
            wiring.identity.revocations.add(revoked)
        if tokens is None:
            raise RefreshRefused
        return _answer(wiring, response, tokens, as_cookie=given is None)

    @router.post("/logout", status_code=204, responses=problems(400, 401, 403, 413, 422, 503))
    async def logout(request: Request, response: Response, body: RefreshIn | None = None) -> None:
        """End the session of the access token, or of the refresh token where the access token has expired."""
        given = body.refresh_token if body is not None else None
        caller = await _caller_or_none(wiring, request)
        await _logout(wiring, request, caller, given or request.cookies.get(cookies.refresh) or "")
        cookies.clear(response, cookies.access)
        cookies.clear(response, cookies.refresh)

    _add_listing(router, wiring)
    return router


def _add_listing(router: APIRouter, wiring: Wiring) -> None:
    @router.get("/sessions", responses=problems(401, 403, 422))
    async def sessions(
        caller: Account,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    ) -> SessionPage:
        """Where you are signed in, newest first."""
        found, following = await service.listed(caller.user_id, limit=limit, after=after)
        return SessionPage(
            items=[SessionOut.of(one, caller.session_id) for one in found],
            next=str(following) if following is not None else None,
        )

    @router.delete("/sessions/{session_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
    async def end(session_id: Annotated[UUID, Path()], caller: Account) -> None:
        """Sign out somewhere else."""
        revoked = await wiring.database.run(lambda: service.end(session_id, caller.user_id, caller.actor, "revoked"))
        wiring.identity.revocations.add(revoked)

    @router.delete("/sessions", status_code=204, responses=problems(401, 403, 503))
    async def end_others(caller: Account) -> None:
        """Sign out everywhere but here."""
        for revoked in await wiring.database.run(
            lambda: service.end_others(caller.user_id, caller.session_id, caller.actor)
        ):
            wiring.identity.revocations.add(revoked)


async def _login(wiring: Wiring, body: LoginIn, request: Request) -> tuple[User, Tokens]:
    address = wiring.identity.address(request)
    known = await User.filter_by(email_norm=body.email).first()
    device = request.cookies.get(wiring.identity.cookies.device)
    attempt = Attempt(body.email, address, is_device_of(wiring.vault, device, known.id if known is not None else None))
    await wiring.limits.require_open(attempt)
    user = await wiring.users.check(known, body.password.get_secret_value())
    if user is None:
        await wiring.limits.count_failure(attempt, wiring.database)
        raise LoginRefused
    how = SignIn(amr=("pwd",), address=address, user_agent=user_agent_of(request))

    async def opened() -> Tokens:
        # Others may have guessed at the same time, all of them let in before one was counted: what is right counts
        # only while there was still a guess left.
        if await wiring.limits.require_open(attempt):
            await wiring.limits.forget(attempt)
        return await wiring.sessions.open(user, how)

    try:
        return user, await wiring.database.run(opened)
    except AccountBlocked:
        raise LoginRefused from None


async def _logout(wiring: Wiring, request: Request, caller: Caller | None, refresh_token: str) -> None:
    revoked: Revocation | None
    if caller is not None and caller.session_id is not None:
        session_id = caller.session_id
        revoked = await wiring.database.run(lambda: service.end(session_id, caller.user_id, caller.actor))
    else:
        address = wiring.identity.address(request)
        revoked = await wiring.database.run(lambda: wiring.sessions.end_by_token(refresh_token, address))
    if revoked is not None:
        # What this process wrote itself need not wait for its next poll.
        wiring.identity.revocations.add(revoked)


def _answer(wiring: Wiring, response: Response, tokens: Tokens, *, as_cookie: bool) -> TokenPair | CookiesSet:
    response.headers["Cache-Control"] = "no-store"
    if not as_cookie:
        return TokenPair(
            access_token=tokens.access_token, refresh_token=tokens.refresh_token, expires_in=tokens.expires_in
        )
    put_tokens(wiring.identity.cookies, response, tokens)
    return CookiesSet(expires_in=tokens.expires_in)


async def _caller_or_none(wiring: Wiring, request: Request) -> Caller | None:
    """Whoever calls by a token; None where it is missing or has expired, and the refresh token has to do."""
    cookies = wiring.identity.cookies
    if cookies.access in request.cookies or cookies.refresh in request.cookies:
        wiring.identity.require_same_origin(request)
    try:
        return await wiring.identity.identify(request)
    except Unauthorised:
        return None
