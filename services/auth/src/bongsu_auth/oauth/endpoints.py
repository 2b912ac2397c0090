"""Sending a browser to a provider, and receiving it back.

What goes wrong on the way is told to the browser on a page: `/login?error=<code>`, or, where the user is signed in
already and links an account or adds the bot, the page that they came from with the same addition. What looks forged
is answered with a problem, unless a person is looking (`Accept: text/html`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from bongsu import mixins
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.redirects import safe_or_home
from bongsu.identity.tokens import TokenRefused
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.logging import get_logger
from bongsu.runtime.problems import problems
from bongsu_auth.errors import IdTokenForged, StateExpired, StateRefused
from bongsu_auth.oauth import destinations
from bongsu_auth.oauth.flows import Departure
from bongsu_auth.oauth.port import Grant, IdTokenRefused, Provider, ProviderFailed, ProviderUnavailable
from bongsu_auth.oauth.schemas import ProviderOut, ProviderPage
from bongsu_auth.oauth.service import Overtaken
from bongsu_auth.oauth.states import LIFETIME, Purpose, Taken, Visitor
from bongsu_auth.sessions.browser import put_tokens, user_agent_of
from bongsu_auth.sessions.limits import DEVICE_MAX_AGE_S, device_cookie
from bongsu_auth.sessions.service import SignIn
from bongsu_auth.wiring import Wiring

log = get_logger(__name__)
T = TypeVar("T")

FORGERIES = (StateRefused, StateExpired, IdTokenForged)
ATTEMPTS = 4
"""How often a sign-in is repeated that others got in the way of: each time at least one of them has succeeded."""

SEE_OTHER: dict[int | str, dict[str, Any]] = {303: {"description": "Go on with the browser"}}
Next = Annotated[str | None, Query(description="A path of this site to go on to; what is none counts as `/`")]


@dataclass(frozen=True, slots=True)
class _Failed(Exception):
    """A flow that ended without success, in a way that is no forgery."""

    code: str


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its units of work and commits before it answers."""
    router = APIRouter(prefix="/auth", tags=["oauth"])

    @router.get("/providers")
    async def providers() -> ProviderPage:
        """With whose accounts one can sign in here."""
        return ProviderPage(
            items=[
                ProviderOut(name=one.name, label=one.label, authorize_path=f"/auth/oauth/{one.name}/authorize")
                for one in wiring.flows.providers
            ]
        )

    @router.get(
        "/oauth/{provider}/authorize",
        status_code=303,
        response_class=RedirectResponse,
        responses={**SEE_OTHER, **problems(404, 422, 503)},
    )
    async def authorize(provider: str, next_path: Annotated[Next, Query(alias="next")] = None) -> Response:
        """Sign in with an account at a provider: open this address in a browser."""
        purpose = Purpose(provider, "login", safe_or_home(next_path))
        departure = await wiring.flows.begin(purpose)
        response = _see(departure.authorization_url)
        put_flow(wiring, response, departure)
        return response

    @router.get(
        "/oauth/{provider}/callback",
        status_code=303,
        response_class=RedirectResponse,
        responses={**SEE_OTHER, **problems(400, 404, 409, 422, 503)},
    )
    async def callback(
        provider: str,
        request: Request,
        state: Annotated[str, Query(description="As it was sent")] = "",
        code: Annotated[str | None, Query(description="The provider's code")] = None,
        error: Annotated[str | None, Query(description="Why there is none")] = None,
    ) -> Response:
        """Where providers send browsers back to: signs in, links, or notes that the bot was added.

        A browser always gets a 303. It leads to `next`; where something went wrong, to `/login?error=<code>`, or for
        linking and adding the bot to `next` with `error=<code>`. The codes: `denied`, `provider_error`,
        `provider_unavailable`, `account_blocked`, `login_to_link`, `linked_elsewhere`, `another_linked`,
        `state_expired`, `state_refused`, `id_token_refused`.
        """
        asked = wiring.flows.provider(provider)
        try:
            taken = await wiring.flows.take(asked, state, await _visitor(wiring, request, state))
        except FORGERIES as refused:
            response = _refused(request, refused, destinations.login_page(error=refused.code))
        else:
            response = await _finished(wiring, request, asked, taken, code, error)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        wiring.identity.cookies.clear(response, wiring.identity.cookies.flow_of(state))
        return response

    return router


def put_flow(wiring: Wiring, response: Response, departure: Departure) -> None:
    """Gives the browser the secret that it must come back with."""
    cookies = wiring.identity.cookies
    max_age_s = int(LIFETIME.total_seconds())
    cookies.set(response, cookies.flow_of(departure.state), departure.browser, max_age_s=max_age_s)
    response.headers["Cache-Control"] = "no-store"


async def _finished(
    wiring: Wiring, request: Request, provider: Provider, taken: Taken, code: str | None, error: str | None
) -> Response:
    purpose = taken.purpose
    # It was checked before it was written down. Checked again, no row that got there otherwise leads astray.
    next_path = safe_or_home(purpose.next_path)

    def page(code: str) -> str:
        if purpose.flow == "login":
            return destinations.login_page(error=code, next_path=next_path)
        return destinations.with_query(next_path, error=code)

    finish = {"login": _sign_in, "link": _link, "install": _install}[purpose.flow]
    try:
        grant = await _grant(wiring, provider, taken, code, error)
        return await finish(wiring, request, provider, taken, grant, next_path)
    except IdTokenRefused as refused:
        log.warning("oauth.id_token_refused", provider=provider.name, reason=str(refused))
        return _refused(request, IdTokenForged(), page(IdTokenForged.code))
    except ProviderFailed as failure:
        unavailable = isinstance(failure, ProviderUnavailable)
        log.warning("oauth.provider_failed", provider=provider.name, reason=str(failure))
        return _see(page("provider_unavailable" if unavailable else "provider_error"))
    except _Failed as failure:
        return _see(page(failure.code))
    except ServiceError as refused:
        if purpose.flow == "login":
            return _see(page(refused.code))
        return _refused(request, refused, page(refused.code))


async def _grant(wiring: Wiring, provider: Provider, taken: Taken, code: str | None, error: str | None) -> Grant:
    if error is not None or not code:
        raise _Failed("denied" if error == "access_denied" else "provider_error")
    return await wiring.flows.exchange(provider, taken, code)


async def _sign_in(
    wiring: Wiring, request: Request, provider: Provider, taken: Taken, grant: Grant, next_path: str
) -> Response:
    arrival = await wiring.flows.arrival(provider, taken, grant)
    address = wiring.identity.address(request)
    how = SignIn(amr=("fed",), address=address, user_agent=user_agent_of(request), provider=provider.name)
    signed_in = await _repeated(wiring, lambda: wiring.oauth.sign_in(arrival, how))
    if signed_in.revocation is not None:
        wiring.identity.revocations.add(signed_in.revocation)
    response = _see(next_path)
    cookies = wiring.identity.cookies
    put_tokens(cookies, response, signed_in.tokens)
    device = device_cookie(wiring.vault, signed_in.user.id)
    cookies.set(response, cookies.device, device, max_age_s=DEVICE_MAX_AGE_S)
    return response


async def _link(
    wiring: Wiring, request: Request, provider: Provider, taken: Taken, grant: Grant, next_path: str
) -> Response:
    user_id, session_id = taken.purpose.user_id, taken.purpose.session_id
    assert user_id is not None  # noqa: S101 - a flow of this kind is begun by a user
    arrival = await wiring.flows.arrival(provider, taken, grant)
    actor = Actor(user_id, address=wiring.identity.address(request))
    await _repeated(wiring, lambda: wiring.oauth.link(arrival, user_id, session_id, actor))
    return _see(destinations.with_query(next_path, linked=provider.name))


async def _install(
    wiring: Wiring, request: Request, provider: Provider, taken: Taken, grant: Grant, next_path: str
) -> Response:
    """Believes only the guild in the token endpoint's answer: what the browser brought can be changed on the way.

    The grant itself is dropped and not revoked: Discord would revoke the one for signing in with it.
    """
    guild_id = grant.guild_id
    if guild_id is None:
        raise _Failed("provider_error")
    actor = Actor(taken.purpose.user_id, address=wiring.identity.address(request))

    async def noted() -> None:
        await audit.record(
            "discord.bot_added", actor, subject_id=taken.purpose.user_id, target=f"{provider.name}_guild:{guild_id}"
        )

    await wiring.database.run(noted)
    return _see(destinations.with_query(next_path, installed=guild_id))


async def _repeated(wiring: Wiring, work: Callable[[], Awaitable[T]]) -> T:
    """Runs it in a unit, and in another one where somebody else wrote the same row at the same moment.

    A new one, because MySQL may go on showing a transaction what was there when it began.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return await wiring.database.run(work)
        except (mixins.Conflict, Overtaken):
            continue
    return await wiring.database.run(work)


async def _visitor(wiring: Wiring, request: Request, state: str) -> Visitor:
    """The browser that came back: its cookie for this flow, and who is signed in there."""
    cookies = wiring.identity.cookies
    browser = request.cookies.get(cookies.flow_of(state))
    try:
        claims = await wiring.identity.tokens.verify(request.cookies.get(cookies.access, ""))
    except TokenRefused:
        session = await wiring.sessions.holder(request.cookies.get(cookies.refresh, ""))
        if session is None:
            return Visitor(browser)
        return Visitor(browser, session.user_id, session.id)
    return Visitor(browser, claims.sub, claims.sid)


def _refused(request: Request, error: ServiceError, page: str) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return _see(page)
    raise error


def _see(address: str) -> Response:
    return RedirectResponse(address, status_code=303)
