"""Builds Discord's stand-in."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, FastAPI, Response

from bongsu.runtime.dependencies import provide
from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.discord.applications import endpoints as applications
from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.applications.service import Commands
from bongsu_sandbox.discord.channels import endpoints as channels
from bongsu_sandbox.discord.channels import pages as channel_pages
from bongsu_sandbox.discord.channels.service import Messages
from bongsu_sandbox.discord.control import endpoints as control_endpoints
from bongsu_sandbox.discord.control.service import Control
from bongsu_sandbox.discord.errors import not_found
from bongsu_sandbox.discord.faults import discord_faults
from bongsu_sandbox.discord.front import PREFIX, VERSIONS, Front, UnlimitedDiscordRoute
from bongsu_sandbox.discord.gateway import endpoints as gateway
from bongsu_sandbox.discord.gateway.connection import Gateway
from bongsu_sandbox.discord.gateway.hub import Hub
from bongsu_sandbox.discord.guilds import endpoints as guild_endpoints
from bongsu_sandbox.discord.guilds.service import Guilds
from bongsu_sandbox.discord.interactions import endpoints as interaction_endpoints
from bongsu_sandbox.discord.interactions.service import Interactions
from bongsu_sandbox.discord.oauth import endpoints as oauth_endpoints
from bongsu_sandbox.discord.oauth import pages as consent_pages
from bongsu_sandbox.discord.oauth.service import OAuth
from bongsu_sandbox.discord.rate_limits import RateLimits
from bongsu_sandbox.discord.snowflakes import Snowflakes
from bongsu_sandbox.discord.users import endpoints as users
from bongsu_sandbox.discord.world import World
from bongsu_sandbox.faults.requests import ABILITIES as REQUEST_ABILITIES
from bongsu_sandbox.faults.requests import ABILITIES_AFTER
from bongsu_sandbox.faults.schemas import Kind, Target
from bongsu_sandbox.faults.service import CheckDetail, Faults
from bongsu_sandbox.settings import SandboxSettings

ABILITIES: Final[dict[Target, dict[Kind, CheckDetail]]] = {
    "discord": {**REQUEST_ABILITIES, **ABILITIES_AFTER},
    "gateway": {**gateway.ABILITIES},
}
"""The faults of Discord's stand-in."""


unknown_routes = APIRouter(route_class=UnlimitedDiscordRoute, include_in_schema=False)


@unknown_routes.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def answer_unknown_route(path: str) -> Response:
    del path
    return not_found().answer()


def _create_router() -> APIRouter:
    rest = APIRouter()
    for part in (
        gateway.rest_router,
        users.router,
        applications.router,
        guild_endpoints.router,
        channels.router,
        interaction_endpoints.router,
        interaction_endpoints.webhooks,
        oauth_endpoints.router,
        unknown_routes,
    ):
        rest.include_router(part)
    router = APIRouter()
    for version in (*VERSIONS, ""):
        router.include_router(rest, prefix=f"{PREFIX}{version}")
    for part in (gateway.router, consent_pages.router, control_endpoints.router, channel_pages.router):
        router.include_router(part)
    return router


router = _create_router()


def provide_discord(app: FastAPI, settings: SandboxSettings, faults: Faults, stop: StopSignal) -> Callable[[], None]:
    """Build the stand-in on the data folder and provide its services. Returns what closes it."""
    application = Application(
        id=settings.discord_application_id,
        client_secret=settings.discord_client_secret.get_secret_value(),
        bot_token=settings.discord_bot_token.get_secret_value(),
        redirect_uris=settings.discord_redirect_uris,
    )
    folder = settings.data_dir / "discord"
    world = World(folder / "state.json", application.bot)
    snowflakes = Snowflakes()
    hub = Hub(session_starts=settings.discord_session_starts)
    guilds = Guilds(world, hub, application.bot)
    messages = Messages(folder / "messages.jsonl", snowflakes)
    interactions = Interactions(application, hub, messages, snowflakes, answer_s=settings.discord_answer_s)
    commands = Commands(application, world, snowflakes)
    on_request = discord_faults(faults, stop)
    front = Front(application, world, on_request, RateLimits())
    provide(
        app,
        hub,
        guilds,
        messages,
        interactions,
        commands,
        front,
        OAuth(application, world, guilds, on_request),
        Control(front, hub, guilds, commands, interactions, messages, snowflakes),
        Gateway(hub, application, faults, guilds.first_events, stop, settings.allow_remote),
    )
    return messages.close
