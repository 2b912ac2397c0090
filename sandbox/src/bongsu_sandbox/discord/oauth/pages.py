"""The consent page of Discord's OAuth."""

from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord.oauth import schemas
from bongsu_sandbox.discord.oauth.schemas import AuthorizationRequest
from bongsu_sandbox.discord.oauth.service import OAuth, OAuthError
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.pages.rendering import Pages, ProvidedPages
from bongsu_sandbox.sign_in.pages import allow_form_redirect
from bongsu_sandbox.sign_in.requests import WrongRequest

AUTHORIZE = "/sandbox/discord/oauth2/authorize"
_COOKIE = "sandbox_discord_user"
_PERSONA = "persona"


router = APIRouter(include_in_schema=False)

ProvidedOAuth = Annotated[OAuth, Provided(OAuth)]


@router.get(AUTHORIZE)
async def show_consent(request: Request, oauth: ProvidedOAuth, pages: ProvidedPages) -> Response:
    try:
        wanted = schemas.read(request.query_params, oauth.application)
    except WrongRequest as error:
        return _refusal(request, pages, error)
    user = _persona(oauth, request)
    if user is not None and wanted.prompt == "none" and oauth.has_granted(user, wanted):
        return RedirectResponse(oauth.allow(wanted, user, None), status_code=303)
    return _page(request, pages, oauth, wanted)


@router.post(AUTHORIZE)
async def decide(request: Request, oauth: ProvidedOAuth, pages: ProvidedPages) -> Response:
    """Take the decision: `persona`, `decision` (allow or deny) and `guild_id`. Tests post without the page."""
    form = await read_form(request)
    try:
        wanted = schemas.read(request.query_params, oauth.application)
    except WrongRequest as error:
        return _refusal(request, pages, error)
    user = oauth.world.users.get(parse(form.get(_PERSONA)) or 0)
    if form.get("decision") != "allow":
        return RedirectResponse(wanted.denial_url(), status_code=303)
    if user is None:
        return _page(request, pages, oauth, wanted, problem="persona", status=422)
    try:
        target = oauth.allow(wanted, user, parse(form.get("guild_id")))
    except OAuthError as error:
        return _page(request, pages, oauth, wanted, problem=error.description, status=error.status)
    answer = RedirectResponse(target, status_code=303)
    answer.set_cookie(_COOKIE, str(user.id), path="/sandbox/discord", httponly=True, samesite="lax")
    return answer


def _persona(oauth: OAuth, request: Request) -> User | None:
    return oauth.world.users.get(parse(request.query_params.get(_PERSONA, request.cookies.get(_COOKIE))) or 0)


def _page(  # noqa: PLR0913 - the page and what it shows
    request: Request,
    pages: Pages,
    oauth: OAuth,
    wanted: AuthorizationRequest,
    *,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    user = _persona(oauth, request)
    guilds = oauth.manageable(user) if user is not None else []
    if wanted.guild_fixed:
        guilds = [guild for guild in guilds if guild.id == wanted.guild_id]
    fixed = oauth.world.guilds.get(wanted.guild_id or 0)
    people = oauth.world.users.values()
    query = [(name, value) for name, value in parse_qsl(request.url.query, True) if name != _PERSONA]
    context = {
        "place": "discord",
        "people": people,
        "managed": {person.id: len(oauth.manageable(person)) for person in people},
        "user": user,
        "wanted": wanted,
        "guilds": guilds,
        "fixed_name": fixed.name if fixed is not None else wanted.guild_id,
        "problem": problem,
        "here": f"{AUTHORIZE}?{urlencode(query)}",
    }
    answer = pages.page(request, "discord-authorize.html", context, status_code=status)
    allow_form_redirect(answer)
    return answer


def _refusal(request: Request, pages: Pages, error: WrongRequest) -> Response:
    context = {"place": "discord", "problem": str(error)}
    return pages.page(request, "discord-wrong.html", context, status_code=400)
