"""Puts Discord's stand-in together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request, Response

from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.discord import faults as discord_faults
from bongsu_sandbox.discord.applications import endpoints as applications
from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.applications.service import Commands
from bongsu_sandbox.discord.channels import endpoints as channels
from bongsu_sandbox.discord.channels import pages as channel_pages
from bongsu_sandbox.discord.channels.service import Messages
from bongsu_sandbox.discord.control import endpoints as control_endpoints
from bongsu_sandbox.discord.control.service import Control
from bongsu_sandbox.discord.errors import not_found
from bongsu_sandbox.discord.faults import DiscordFaults
from bongsu_sandbox.discord.front import PREFIX, VERSIONS, Front, route_class
from bongsu_sandbox.discord.gateway import endpoints as gateway
from bongsu_sandbox.discord.gateway.connection import Gateway
from bongsu_sandbox.discord.gateway.hub import Hub
from bongsu_sandbox.discord.guilds import endpoints as guild_endpoints
from bongsu_sandbox.discord.guilds.service import Guilds
from bongsu_sandbox.discord.interactions import endpoints as interaction_endpoints
from bongsu_sandbox.discord.interactions.service import Interactions
from bongsu_sandbox.discord.oauth import endpoints as oauth_endpoints
from bongsu_sandbox.discord.oauth.pages import ConsentPage
from bongsu_sandbox.discord.oauth.service import OAuth
from bongsu_sandbox.discord.rate_limits import RateLimits
from bongsu_sandbox.discord.snowflakes import Snowflakes
from bongsu_sandbox.discord.users import endpoints as users
from bongsu_sandbox.discord.world import World
from bongsu_sandbox.faults.schemas import Kind, Target
from bongsu_sandbox.faults.service import CheckDetail, Faults
from bongsu_sandbox.pages.rendering import Pages
from bongsu_sandbox.settings import SandboxSettings

ABILITIES: Final[dict[Target, dict[Kind, CheckDetail]]] = {
    "discord": {**discord_faults.ABILITIES},
    "gateway": {**gateway.ABILITIES},
}
"""What can go wrong with Discord."""


@dataclass(frozen=True)
class Discord:
    """The stand-in's routes, and how it ends."""

    router: APIRouter
    close: Callable[[], None]


def create_discord(settings: SandboxSettings, faults: Faults, pages: Pages, stop: StopSignal) -> Discord:
    """Build the stand-in on the data folder."""
    application = Application(
        id=settings.discord_application_id,
        client_secret=settings.discord_client_secret.get_secret_value(),
        bot_token=settings.discord_bot_token.get_secret_value(),
        redirect_uris=settings.discord_redirect_uris,
    )
    folder = settings.data_dir / "discord"
    world = World(folder / "state.json", application.bot)
    snowflakes = Snowflakes()
    hub = Hub()
    guilds = Guilds(world, hub, application.bot)
    messages = Messages(folder / "messages.jsonl", snowflakes)
    interactions = Interactions(application, hub, messages, snowflakes)
    commands = Commands(application, world, snowflakes)
    on_request = DiscordFaults(faults, stop)
    front = Front(application, world, on_request, RateLimits())
    oauth = OAuth(application, world, guilds, on_request)
    control = Control(front, hub, guilds, commands, interactions, messages, snowflakes)

    rest = APIRouter()
    for part in (
        gateway.create_rest_router(front, hub),
        users.create_router(front, guilds),
        applications.create_router(front, commands),
        guild_endpoints.create_router(front, guilds),
        channels.create_router(front, guilds, messages),
        interaction_endpoints.create_router(front, interactions),
        oauth_endpoints.create_token_router(front, oauth),
        _unknown_routes(front),
    ):
        rest.include_router(part)

    router = APIRouter()
    for version in VERSIONS:
        router.include_router(rest, prefix=f"{PREFIX}{version}")
    router.include_router(rest, prefix=PREFIX)
    router.include_router(
        gateway.create_router(
            Gateway(hub, application, faults, guilds.first_events), stop, allow_remote=settings.allow_remote
        )
    )
    router.include_router(ConsentPage(application, world, oauth, pages).create_router())
    router.include_router(control_endpoints.create_router(control))
    router.include_router(channel_pages.create_router(control, pages))
    return Discord(router, messages.close)


def _unknown_routes(front: Front) -> APIRouter:
    router = APIRouter(route_class=route_class(front, limited=False), include_in_schema=False)

    @router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def unknown_route(request: Request, path: str) -> Response:
        del request, path
        return not_found().answer()

    return router
