"""The application and its commands over REST."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord import bodies
from bongsu_sandbox.discord.applications.service import Commands
from bongsu_sandbox.discord.front import DiscordRoute, ProvidedFront, require_bot

ProvidedCommands = Annotated[Commands, Provided(Commands)]

router = APIRouter(route_class=DiscordRoute, include_in_schema=False, dependencies=[Depends(require_bot)])


@router.get("/applications/@me")
@router.get("/oauth2/applications/@me")
async def read_application(front: ProvidedFront) -> Response:
    return JSONResponse(front.application.to_wire())


@router.get("/applications/{application_id}/commands")
async def list_commands(commands: ProvidedCommands, application_id: str) -> Response:
    return JSONResponse(commands.list_all(application_id))


@router.put("/applications/{application_id}/commands")
async def overwrite_commands(commands: ProvidedCommands, request: Request, application_id: str) -> Response:
    wanted = bodies.parse_json(await request.body())
    return JSONResponse(commands.overwrite(application_id, wanted))


@router.delete("/applications/{application_id}/commands/{command_id}")
async def delete_command(commands: ProvidedCommands, application_id: str, command_id: str) -> Response:
    commands.delete(application_id, command_id)
    return Response(status_code=204)
