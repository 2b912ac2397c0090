"""Renewing a browser's session by a redirect: pages see the access token only, and the refresh token stays here."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from bongsu.identity.redirects import safe_or_home
from bongsu.runtime.errors import Unavailable
from bongsu_auth.oauth import destinations
from bongsu_auth.sessions.browser import put_tokens
from bongsu_auth.wiring import Wiring


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its units of work and commits before it answers."""
    router = APIRouter(prefix="/auth", tags=["sessions"])
    cookies = wiring.identity.cookies

    @router.get(
        "/session/renew",
        status_code=303,
        response_class=RedirectResponse,
        responses={303: {"description": "Go on with the browser"}},
    )
    async def renew(
        request: Request,
        next_path: Annotated[str | None, Query(alias="next", description="A path of this site to go on to")] = None,
    ) -> Response:
        """Renew this browser's session and go on to `next`; to `/login?next=…` if it is over.

        For navigation only: open it at the top level, not from a script.
        """
        target = safe_or_home(next_path)
        try:
            wiring.identity.revocations.require_fresh()
        except Unavailable:
            # The session is not lost: its cookies stay for the next attempt.
            return _see(destinations.login_page(error="unavailable", next_path=target))
        token = request.cookies.get(cookies.refresh, "")
        tokens, revoked = await wiring.database.run(lambda: wiring.sessions.refresh(token))
        if revoked is not None:
            wiring.identity.revocations.add(revoked)
        if tokens is not None:
            response = _see(target)
            put_tokens(cookies, response, tokens)
            return response
        response = _see(destinations.login_page(next_path=target))
        cookies.clear(response, cookies.access)
        cookies.clear(response, cookies.refresh)
        return response

    return router


def _see(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
