"""Redirecting a browser to a provider, and its callback; linked accounts; adding the bot to a guild.

A failure is shown to the browser on a page: `/login?error=<code>`, or, for linking and adding the bot, the page that
it came from with the same parameter. A request that looks forged gets a problem, unless a person is looking
(`Accept: text/html`).
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from bongsu.identity.audit import Actor
from bongsu.identity.redirects import safe_or_home
from bongsu.identity.tokens import TokenRefused
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.problems import problems
from bongsu_auth.client_sign_in.service import ClientSignIns
from bongsu_auth.errors import (
    FlowFailed,
    IdTokenForged,
    PrefetchRefused,
    ProviderDown,
    StateExpired,
    StateRefused,
    TooManyAuthorizations,
)
from bongsu_auth.oauth import pages
from bongsu_auth.oauth.backend import Backends, CustomBackend
from bongsu_auth.oauth.identities import Identities
from bongsu_auth.oauth.limits import AuthorizationLimit
from bongsu_auth.oauth.schemas import (
    AuthorizationUrl,
    IdentityOut,
    IdentityPage,
    InstallIn,
    LinkIn,
    ProviderOut,
    ProviderPage,
)
from bongsu_auth.oauth.service import AuthorizationRedirect, Flows, ProviderAnswer
from bongsu_auth.oauth.states import LIFETIME, CallbackBrowser, ClientRequest, ConsumedState, FlowContext
from bongsu_auth.sessions.backend import Account, Strategy
from bongsu_auth.sessions.service import Sessions
from bongsu_auth.sessions.strategy import SessionStrategy

FORGERIES = (StateRefused, StateExpired, IdTokenForged)
SEE_OTHER: dict[int | str, dict[str, Any]] = {303: {"description": "Redirect of the browser"}}

FlowService = Annotated[Flows, Provided(Flows)]
ProviderBackends = Annotated[Backends, Provided(Backends)]
NextQuery = Annotated[str | None, Query(alias="next", description="A path of this site; any other value counts as `/`")]

router = APIRouter(prefix="/auth")


@router.get("/providers", tags=["oauth"])
async def list_providers(backends: ProviderBackends) -> ProviderPage:
    """List the providers with whose accounts you can sign in."""
    return ProviderPage(items=[ProviderOut.model_validate(backend) for backend in backends.by_name.values()])


@router.get(
    "/oauth/{provider}/authorize",
    tags=["oauth"],
    status_code=303,
    response_class=RedirectResponse,
    responses={**SEE_OTHER, **problems(403, 404, 422, 429, 503)},
)
async def authorize(
    provider: str,
    request: Request,
    flows: FlowService,
    strategy: Strategy,
    limit: Annotated[AuthorizationLimit, Provided(AuthorizationLimit)],
    next_path: NextQuery = None,
) -> Response:
    """Sign in with an account at a provider. Open this URL in a browser."""
    if "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", "")):
        raise PrefetchRefused
    context = FlowContext(provider, "login", safe_or_home(next_path))
    try:
        await limit.count(strategy.address)
        redirect = await flows.start(context, request.cookies.get(strategy.cookies.flow))
    except (ProviderDown, TooManyAuthorizations) as error:
        return _refuse(request, error, _error_page(context, context.next_path, error.code))
    response = _see(redirect.authorization_url)
    _set_flow_cookie(strategy, response, redirect)
    return response


@router.get(
    "/oauth/{provider}/callback",
    tags=["oauth"],
    status_code=303,
    response_class=RedirectResponse,
    responses={**SEE_OTHER, **problems(400, 404, 409, 422, 503)},
)
async def callback(
    provider: str,
    request: Request,
    backends: ProviderBackends,
    flows: FlowService,
    strategy: Strategy,
    sessions: Annotated[Sessions, Provided(Sessions)],
    sign_ins: Annotated[ClientSignIns, Provided(ClientSignIns)],
    state: Annotated[str, Query(description="The state of the authorization request")] = "",
    code: Annotated[str | None, Query(description="The provider's code")] = None,
    error: Annotated[str | None, Query(description="Why there is no code")] = None,
    iss: Annotated[str | None, Query(description="The issuer of the code (RFC 9207)")] = None,
) -> Response:
    """Complete a flow: sign in, link an account, or record that the bot was added. Providers send browsers here.

    A browser always gets a 303: to `next`; after a failure to `/login?error=<code>`, or for linking and adding the bot
    to `next` with `error=<code>`. The codes: `denied`, `provider_error`, `provider_unavailable`, `account_blocked`,
    `login_to_link`, `linked_elsewhere`, `another_linked`, `state_expired`, `state_refused`, `id_token_refused`.
    """
    backend = backends.find(provider)
    try:
        consumed = await flows.consume(provider, state, await _read_browser(request, strategy, sessions))
    except FORGERIES as refused:
        response = _refuse(request, refused, pages.login_page(error=refused.code))
    else:
        answer = ProviderAnswer(code, error, iss)
        if consumed.context.client is not None:
            response = await _complete_client(
                flows, backend, strategy, sign_ins, consumed, consumed.context.client, answer
            )
        else:
            response = await _complete(request, flows, backend, strategy, consumed, answer)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


async def _complete(
    request: Request,
    flows: Flows,
    backend: CustomBackend,
    strategy: SessionStrategy,
    consumed: ConsumedState,
    answer: ProviderAnswer,
) -> Response:
    context = consumed.context
    # The path was checked before it was stored. The second check covers a row that got there in any other way.
    next_path = safe_or_home(context.next_path)
    actor = Actor(context.user_id, address=strategy.address)
    try:
        grant = await flows.exchange(backend, consumed, answer)
        if context.flow == "install":
            added = {"installed": await flows.record_install(grant, actor)}
        else:
            login = await backend.fetch_login(grant, nonce=consumed.nonce)
            if context.user_id is None:
                return await backend.sign_in(strategy, login, next_path)
            await backend.link(login, context.user_id, context.session_id, actor)
            added = {"linked": backend.name}
        return _see(pages.with_query(next_path, **added))
    except ServiceError as refused:
        page = _error_page(context, next_path, refused.code)
        is_expected = context.flow == "login" or isinstance(refused, FlowFailed)
        return _see(page) if is_expected and not isinstance(refused, FORGERIES) else _refuse(request, refused, page)


async def _complete_client(
    flows: Flows,
    backend: CustomBackend,
    strategy: SessionStrategy,
    sign_ins: ClientSignIns,
    consumed: ConsumedState,
    client: ClientRequest,
    answer: ProviderAnswer,
) -> Response:
    """Redirect to an API client, with a code or with an error (RFC 6749, section 4.1.2)."""
    try:
        grant = await flows.exchange(backend, consumed, answer)
        login = await backend.fetch_login(grant, nonce=consumed.nonce)
        user = await backend.find_user(login, strategy.address)
        return _see(await sign_ins.complete(client, user.id, backend.name))
    except ServiceError as refused:
        return _see(sign_ins.fail(client, refused.code, refused.detail))


@router.get("/identities", tags=["identities"], responses=problems(401, 403))
async def list_identities(caller: Account, identities: Annotated[Identities, Provided(Identities)]) -> IdentityPage:
    """List the provider accounts with which you can sign in."""
    found, has_password = await identities.list_linked(caller.user_id)
    return IdentityPage(items=[IdentityOut.model_validate(row) for row in found], has_password=has_password)


@router.post("/identities/{provider}/link", tags=["identities"], responses=problems(400, 401, 403, 404, 413, 422, 503))
async def link(
    provider: str,
    caller: Account,
    response: Response,
    flows: FlowService,
    strategy: Strategy,
    body: LinkIn | None = None,
) -> AuthorizationUrl:
    """Link an account: redirect the browser to `authorization_url`. It returns to `next` with `linked=<provider>`.

    The browser must be signed in with the session that makes this request, or keep the cookie that the response sets.
    """
    next_path = body.next if body is not None else "/"
    redirect = await flows.start_link(provider, next_path, caller.user_id, caller.session_id)
    _set_flow_cookie(strategy, response, redirect)
    return AuthorizationUrl(authorization_url=redirect.authorization_url)


@router.delete(
    "/identities/{provider}", tags=["identities"], status_code=204, responses=problems(401, 403, 404, 409, 422, 503)
)
async def unlink(provider: str, caller: Account, flows: FlowService) -> None:
    """Unlink an account, unless it is your only way to sign in. Its tokens are revoked at the provider."""
    await flows.unlink(provider, caller.user_id, caller.session_id, caller.actor)


@router.post("/discord/installs", tags=["discord"], responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
async def install(
    body: InstallIn, caller: Account, response: Response, flows: FlowService, strategy: Strategy
) -> AuthorizationUrl:
    """Add the bot to a server that you manage: redirect the browser to `authorization_url`.

    It returns to `next` with `installed=<guild ID>`, the server to which the bot was added according to Discord, or
    with `error=<code>`. A server that you do not manage, as Discord says now, is 404.
    """
    redirect = await flows.start_install(body.guild_id, body.next, caller.user_id, caller.session_id, caller.actor)
    _set_flow_cookie(strategy, response, redirect)
    return AuthorizationUrl(authorization_url=redirect.authorization_url)


def _set_flow_cookie(strategy: SessionStrategy, response: Response, redirect: AuthorizationRedirect) -> None:
    """Give the browser the secret that it must bring back."""
    cookies = strategy.cookies
    max_age_s = int(LIFETIME.total_seconds())
    cookies.set(response, cookies.flow, redirect.browser, max_age_s=max_age_s)
    response.headers["Cache-Control"] = "no-store"


async def _read_browser(request: Request, strategy: SessionStrategy, sessions: Sessions) -> CallbackBrowser:
    """Read the browser's flow cookie, and who is signed in there."""
    cookies = strategy.cookies
    browser = request.cookies.get(cookies.flow)
    try:
        claims = await strategy.identity.tokens.verify(request.cookies.get(cookies.access, ""))
    except TokenRefused:
        session = await sessions.find_holder(await strategy.read_refresh_cookie() or "")
        if session is None:
            return CallbackBrowser(browser)
        return CallbackBrowser(browser, session.user_id, session.id)
    return CallbackBrowser(browser, claims.sub, claims.sid)


def _error_page(context: FlowContext, next_path: str, code: str) -> str:
    if context.flow == "login":
        return pages.login_page(error=code, next_path=next_path)
    return pages.with_query(next_path, error=code)


def _refuse(request: Request, error: ServiceError, page: str) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return _see(page)
    raise error


def _see(address: str) -> Response:
    return RedirectResponse(address, status_code=303)
