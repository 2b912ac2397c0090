"""The page on which a user agrees, or does not."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.oauth import schemas
from bongsu_sandbox.discord.oauth.schemas import AuthorizationRequest, WrongRequest
from bongsu_sandbox.discord.oauth.service import OAuth, OAuthError
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.wording import words
from bongsu_sandbox.discord.world import World
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.pages.rendering import Pages

AUTHORIZE = "/sandbox/discord/oauth2/authorize"
_COOKIE = "sandbox_discord_user"
_PERSONA = "persona"


@dataclass(frozen=True)
class ConsentPage:
    """Shows who asks for what, and takes the decision."""

    application: Application
    world: World
    oauth: OAuth
    pages: Pages

    def create_router(self) -> APIRouter:
        """The page's routes. Tests post `persona`, `decision` (allow or deny) and `guild_id`, without the page."""
        router = APIRouter(include_in_schema=False)

        @router.get(AUTHORIZE)
        async def show(request: Request) -> Response:
            try:
                asked = schemas.read(request.query_params, self.application)
            except WrongRequest as error:
                return self._wrong(request, error)
            user = self._persona(request)
            if user is not None and asked.prompt == "none" and self.oauth.has_allowed(user, asked):
                return RedirectResponse(self.oauth.allow(asked, user, None), status_code=303)
            return self._page(request, asked)

        @router.post(AUTHORIZE)
        async def decide(request: Request) -> Response:
            form = await read_form(request)
            try:
                asked = schemas.read(request.query_params, self.application)
            except WrongRequest as error:
                return self._wrong(request, error)
            user = self.oauth.person(parse(form.get(_PERSONA)))
            if form.get("decision") != "allow":
                return RedirectResponse(asked.denied(), status_code=303)
            if user is None:
                return self._page(request, asked, problem="persona", status=422)
            try:
                target = self.oauth.allow(asked, user, parse(form.get("guild_id")))
            except OAuthError as error:
                return self._page(request, asked, problem=error.description, status=error.status)
            answer = RedirectResponse(target, status_code=303)
            answer.set_cookie(_COOKIE, str(user.id), path="/sandbox/discord", httponly=True, samesite="lax")
            return answer

        return router

    def _persona(self, request: Request) -> User | None:
        return self.oauth.person(parse(request.query_params.get(_PERSONA, request.cookies.get(_COOKIE))))

    def _page(
        self, request: Request, asked: AuthorizationRequest, *, problem: str | None = None, status: int = 200
    ) -> Response:
        user = self._persona(request)
        guilds = self.oauth.manageable(user) if user is not None else []
        if asked.guild_fixed:
            guilds = [guild for guild in guilds if guild.id == asked.guild_id]
        fixed = self.world.guilds.get(asked.guild_id or 0)
        people = self.oauth.people()
        query = [(name, value) for name, value in parse_qsl(request.url.query, True) if name != _PERSONA]
        context = {
            "place": "discord",
            "w": words(request),
            "people": people,
            "managed": {person.id: len(self.oauth.manageable(person)) for person in people},
            "user": user,
            "asked": asked,
            "guilds": guilds,
            "fixed_name": fixed.name if fixed is not None else asked.guild_id,
            "problem": problem,
            "here": f"{AUTHORIZE}?{urlencode(query)}",
        }
        answer = self.pages.page(request, "discord-authorize.html", context, status_code=status)
        # Browsers hold the redirect after a form to the same rule as the form.
        policy = answer.headers["Content-Security-Policy"]
        answer.headers["Content-Security-Policy"] = policy.replace(
            "form-action 'self'", f"form-action 'self' {asked.redirect_origin}"
        )
        # With `no-referrer` a browser hides the origin of a form, even from the page's own site.
        answer.headers["Referrer-Policy"] = "same-origin"
        return answer

    def _wrong(self, request: Request, error: WrongRequest) -> Response:
        context = {"place": "discord", "w": words(request), "problem": str(error)}
        return self.pages.page(request, "discord-wrong.html", context, status_code=400)
