"""The entrance to Discord's REST API: faults, rate limits, tokens, and errors in Discord's format."""

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from bongsu.runtime.dependencies import Provided, find
from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.errors import DiscordError, invalid_form, unauthorised, unknown
from bongsu_sandbox.discord.faults import too_many
from bongsu_sandbox.discord.rate_limits import RateLimits
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.world import Grant, World
from bongsu_sandbox.faults.requests import RequestFaults

PREFIX = "/sandbox/discord/api"
VERSIONS = ("/v10", "/v9")
Handle = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Front:
    """Checks every request to the REST API."""

    application: Application
    world: World
    faults: RequestFaults
    rate_limits: RateLimits
    requests: Counter[str] = field(default_factory=Counter)
    """The number of calls of each route, for tests."""

    def is_bot(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bot {self.application.bot_token}"

    def find_grant(self, request: Request) -> Grant:
        """Find the grant of a Bearer token.

        :raises DiscordError: no such token, or an old one.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        for grant in self.world.grants:
            if scheme == "Bearer" and grant.access_token == token and grant.expires_at > datetime.now(UTC):
                return grant
        raise unauthorised()

    async def pass_through(self, request: Request, route: str, limited: bool, handle: Handle) -> Response:
        """Handle a request, unless a fault or a limit replaces it.

        :param route: the method and the path with its parameters' names.
        """
        self.requests[route] += 1
        headers: dict[str, str] = {}
        try:
            fault = self.faults.before(path_of(request))
            if fault is not None:
                return fault
            if limited:
                wait_s = self.rate_limits.take_global(request.headers.get("authorization", ""))
                if wait_s is not None:
                    return too_many(wait_s, is_global=True)
                standing = self.rate_limits.take(route, self._major(request))
                headers = standing.headers
                if standing.refused:
                    refusal = too_many(standing.reset_after_s)
                    refusal.headers.update(headers)
                    return refusal
            response = await handle(request)
            lost = self.faults.after(path_of(request))
            if lost is not None:
                return lost
        except ClientDisconnect:
            return Response(status_code=499)  # the client is gone
        except DiscordError as error:
            response = error.answer()
        except RequestValidationError as error:
            wrong = error.errors()[0]
            response = invalid_form(".".join(map(str, wrong["loc"][1:])), "INVALID", str(wrong["msg"])).answer()
        response.headers.update(headers)
        response.headers.setdefault("Via", "1.1 google")
        return response

    @staticmethod
    def _major(request: Request) -> str:
        parameters = request.path_params
        token = "" if "interaction_id" in parameters else request.headers.get("authorization", "")
        return "/".join([token, *(str(parameters.get(name, "")) for name in ("channel_id", "guild_id", "token"))])


def path_of(request: Request) -> str:
    """Return the path after `/api` and the version."""
    return _without_version(request.url.path)


def _without_version(path: str) -> str:
    path = path.removeprefix(PREFIX)
    for version in VERSIONS:
        path = path.removeprefix(version)
    return path


ProvidedFront = Annotated[Front, Provided(Front)]


async def require_bot(request: Request, front: ProvidedFront) -> None:
    """Require the bot's token.

    :raises DiscordError: another token, or none.
    """
    if not front.is_bot(request):
        raise unauthorised()


async def require_application(application_id: str, front: ProvidedFront) -> None:
    """Require the application's ID in the path of a webhook.

    :raises DiscordError: another application.
    """
    if parse(application_id) != front.application.id:
        raise unknown("Webhook")


class UnlimitedDiscordRoute(APIRoute):
    """A route of Discord's REST API without a rate limit."""

    limited = False

    def get_route_handler(self) -> Handle:
        handle = super().get_route_handler()
        route = f"{min(self.methods or ())} {_without_version(self.path)}"

        async def pass_front(request: Request) -> Response:
            return await find(request.app, Front).pass_through(request, route, self.limited, handle)

        return pass_front


class DiscordRoute(UnlimitedDiscordRoute):
    """A route of Discord's REST API."""

    limited = True
