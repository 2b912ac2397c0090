"""The application and its commands over REST."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord import bodies
from bongsu_sandbox.discord.applications.service import Commands, Scope
from bongsu_sandbox.discord.front import DiscordRoute, ProvidedFront, require_bot

ProvidedCommands = Annotated[Commands, Provided(Commands)]

router = APIRouter(route_class=DiscordRoute, include_in_schema=False, dependencies=[Depends(require_bot)])


@router.get("/applications/@me")
@router.get("/oauth2/applications/@me")
async def read_application(front: ProvidedFront) -> Response:
    application = front.application
    guilds = sum(application.id in guild.members for guild in front.world.guilds.values())
    counts = {
        "approximate_guild_count": guilds,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
    }
    return JSONResponse(application.to_wire() | counts)


COMMANDS = "/applications/{application_id}/commands"
GUILD_COMMANDS = "/applications/{application_id}/guilds/{guild_id}/commands"


async def _find_scope(commands: ProvidedCommands, application_id: str, guild_id: str | None = None) -> Scope:
    """Find the commands of all guilds, or of one."""
    return commands.find_scope(application_id, guild_id)


ProvidedScope = Annotated[Scope, Depends(_find_scope)]


@router.get(COMMANDS)
@router.get(GUILD_COMMANDS)
async def list_commands(scope: ProvidedScope) -> Response:
    return JSONResponse(scope.list_all())


@router.put(COMMANDS)
@router.put(GUILD_COMMANDS)
async def overwrite_commands(scope: ProvidedScope, request: Request) -> Response:
    return JSONResponse(scope.overwrite(bodies.parse_json(await request.body())))


@router.post(COMMANDS)
@router.post(GUILD_COMMANDS)
async def create_command(scope: ProvidedScope, request: Request) -> Response:
    command, is_new = scope.create(bodies.parse(await request.body()))
    return JSONResponse(command, status_code=201 if is_new else 200)


@router.get(f"{COMMANDS}/{{command_id}}")
@router.get(f"{GUILD_COMMANDS}/{{command_id}}")
async def read_command(scope: ProvidedScope, command_id: str) -> Response:
    return JSONResponse(scope.find(command_id))


@router.patch(f"{COMMANDS}/{{command_id}}")
@router.patch(f"{GUILD_COMMANDS}/{{command_id}}")
async def change_command(scope: ProvidedScope, request: Request, command_id: str) -> Response:
    return JSONResponse(scope.change(command_id, bodies.parse(await request.body())))


@router.delete(f"{COMMANDS}/{{command_id}}")
@router.delete(f"{GUILD_COMMANDS}/{{command_id}}")
async def delete_command(scope: ProvidedScope, command_id: str) -> Response:
    scope.delete(command_id)
    return Response(status_code=204)
