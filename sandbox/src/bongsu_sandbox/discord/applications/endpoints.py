"""The application and its commands over REST."""

import json

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from bongsu_sandbox.discord.applications.service import Commands
from bongsu_sandbox.discord.errors import DiscordError
from bongsu_sandbox.discord.front import Front, route_class


def create_router(front: Front, commands: Commands) -> APIRouter:
    """The routes of the application."""
    router = APIRouter(
        route_class=route_class(front), include_in_schema=False, dependencies=[Depends(front.require_bot)]
    )

    @router.get("/applications/@me")
    @router.get("/oauth2/applications/@me")
    async def read_application() -> Response:
        return JSONResponse(front.application.to_wire())

    @router.get("/applications/{application_id}/commands")
    async def list_commands(application_id: str) -> Response:
        return JSONResponse(commands.of(application_id))

    @router.put("/applications/{application_id}/commands")
    async def overwrite_commands(request: Request, application_id: str) -> Response:
        try:
            wanted: object = json.loads(await request.body())
        except ValueError:
            raise DiscordError(400, 50109, "The request body contains invalid JSON.") from None
        return JSONResponse(commands.overwrite(application_id, wanted))

    @router.delete("/applications/{application_id}/commands/{command_id}")
    async def delete_command(application_id: str, command_id: str) -> Response:
        commands.delete(application_id, command_id)
        return Response(status_code=204)

    return router
