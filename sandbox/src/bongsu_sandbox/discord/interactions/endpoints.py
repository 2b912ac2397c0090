"""The bot's answers to commands, authorised by the interaction's token."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord import bodies
from bongsu_sandbox.discord.channels.service import EPHEMERAL
from bongsu_sandbox.discord.errors import Wire
from bongsu_sandbox.discord.front import Front, UnlimitedDiscordRoute
from bongsu_sandbox.discord.interactions.service import DEFERRED, MESSAGE, Interaction, Interactions
from bongsu_sandbox.discord.snowflakes import parse

ProvidedFront = Annotated[Front, Provided(Front)]
ProvidedInteractions = Annotated[Interactions, Provided(Interactions)]

router = APIRouter(route_class=UnlimitedDiscordRoute, include_in_schema=False)


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


@router.post("/webhooks/{application_id}/{token}")
async def follow_up(
    front: ProvidedFront, interactions: ProvidedInteractions, request: Request, application_id: str, token: str
) -> Response:
    front.require_application(application_id)
    body, files = await bodies.read(request)
    return JSONResponse((await interactions.follow_up(token, body, files)).to_wire())


@router.patch("/webhooks/{application_id}/{token}/messages/@original")
async def edit(
    front: ProvidedFront, interactions: ProvidedInteractions, request: Request, application_id: str, token: str
) -> Response:
    front.require_application(application_id)
    body, files = await bodies.read(request)
    return JSONResponse((await interactions.edit(token, body, files)).to_wire())


@router.get("/webhooks/{application_id}/{token}/messages/@original")
async def read(front: ProvidedFront, interactions: ProvidedInteractions, application_id: str, token: str) -> Response:
    front.require_application(application_id)
    return JSONResponse(interactions.original(token).to_wire())


def _callback(interaction: Interaction) -> Wire:
    answer = interaction.answers[0] if interaction.answers else None
    about: Wire = {
        "id": str(interaction.id),
        "type": 2,
        "channel_id": str(interaction.channel_id),
        "guild_id": str(interaction.guild_id),
        "response_message_loading": answer is None,
        "response_message_ephemeral": interaction.ephemeral,
    }
    resource: Wire = {"type": DEFERRED if answer is None else MESSAGE}
    message = answer.to_wire() if answer is not None else _loading(interaction)
    about["response_message_id"] = message["id"]
    return {"interaction": about, "resource": resource | {"message": message}}


def _loading(interaction: Interaction) -> Wire:
    """Return the placeholder message of a deferred answer."""
    return {
        "id": str(interaction.id),
        "channel_id": str(interaction.channel_id),
        "type": 20,
        "author": interaction.user.to_wire(),
        "content": "",
        "timestamp": "2024-01-01T00:00:00+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "components": [],
        "flags": (1 << 7) | (EPHEMERAL if interaction.ephemeral else 0),
    }
