"""The bot's answers to commands, authorised by the interaction's token."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord import bodies
from bongsu_sandbox.discord.channels.service import EPHEMERAL, LOADING, Message
from bongsu_sandbox.discord.front import UnlimitedDiscordRoute, require_application
from bongsu_sandbox.discord.interactions.service import DEFERRED, MESSAGE, Interaction, Interactions
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.wire import Wire

ProvidedInteractions = Annotated[Interactions, Provided(Interactions)]

router = APIRouter(route_class=UnlimitedDiscordRoute, include_in_schema=False)
webhooks = APIRouter(
    prefix="/webhooks/{application_id}",
    route_class=UnlimitedDiscordRoute,
    include_in_schema=False,
    dependencies=[Depends(require_application)],
)


@router.post("/interactions/{interaction_id}/{token}/callback")
async def respond(
    interactions: ProvidedInteractions,
    request: Request,
    interaction_id: str,
    token: str,
    with_response: Annotated[bool, Query()] = False,
) -> Response:
    body, files = await bodies.read(request)
    interaction = await interactions.respond(parse(interaction_id), token, body, files)
    return JSONResponse(_callback(interaction)) if with_response else Response(status_code=204)


@webhooks.post("/{token}")
async def follow_up(interactions: ProvidedInteractions, request: Request, token: str) -> Response:
    body, files = await bodies.read(request)
    return JSONResponse((await interactions.follow_up(token, body, files)).to_wire())


@webhooks.patch("/{token}/messages/@original")
async def edit(interactions: ProvidedInteractions, request: Request, token: str) -> Response:
    body, files = await bodies.read(request)
    return JSONResponse((await interactions.edit(token, body, files)).to_wire())


@webhooks.get("/{token}/messages/@original")
async def read(interactions: ProvidedInteractions, token: str) -> Response:
    return JSONResponse(interactions.original(token).to_wire())


@webhooks.delete("/{token}/messages/@original")
async def delete(interactions: ProvidedInteractions, token: str) -> Response:
    await interactions.delete(token)
    return Response(status_code=204)


def _callback(interaction: Interaction) -> Wire:
    answer = interaction.answers[0] if interaction.answers else None
    message = _loading(interaction) if answer is None else answer.to_wire()
    about: Wire = {
        "id": str(interaction.id),
        "type": 2,
        "channel_id": str(interaction.command.channel_id),
        "response_message_loading": answer is None,
        "response_message_ephemeral": interaction.ephemeral,
        "response_message_id": message["id"],
    }
    if interaction.command.guild_id is not None:
        about["guild_id"] = str(interaction.command.guild_id)
    return {"interaction": about, "resource": {"type": DEFERRED if answer is None else MESSAGE, "message": message}}


def _loading(interaction: Interaction) -> Wire:
    """Return the placeholder message of a deferred answer."""
    message = Message(
        id=interaction.id,
        channel_id=interaction.command.channel_id,
        author=interaction.command.user,
        flags=LOADING | (EPHEMERAL if interaction.ephemeral else 0),
        sent_at=datetime(2024, 1, 1, tzinfo=UTC),
    )
    return message.to_wire() | {"type": 20}
