"""Channels and messages over REST, for the bot."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord import bodies
from bongsu_sandbox.discord.channels.service import Messages
from bongsu_sandbox.discord.front import DiscordRoute, ProvidedFront, require_bot
from bongsu_sandbox.discord.guilds.service import Guilds
from bongsu_sandbox.discord.snowflakes import parse

ProvidedGuilds = Annotated[Guilds, Provided(Guilds)]
ProvidedMessages = Annotated[Messages, Provided(Messages)]

router = APIRouter(route_class=DiscordRoute, include_in_schema=False, dependencies=[Depends(require_bot)])


@router.post("/users/@me/channels")
async def open_direct_messages(guilds: ProvidedGuilds, request: Request) -> Response:
    body, _ = await bodies.read(request)
    return JSONResponse(guilds.open_direct(parse(body.get("recipient_id"))))


@router.get("/channels/{channel_id}")
async def read_channel(guilds: ProvidedGuilds, channel_id: str) -> Response:
    return JSONResponse(guilds.channel_to_wire(parse(channel_id)))


@router.get("/channels/{channel_id}/messages")
async def list_messages(
    guilds: ProvidedGuilds,
    messages: ProvidedMessages,
    channel_id: str,
    before: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    readable_id = guilds.require_readable(parse(channel_id))
    found = messages.list_page(readable_id, before=before, after=after, limit=limit)
    return JSONResponse([message.to_wire() for message in found])


@router.get("/channels/{channel_id}/messages/{message_id}")
async def read_message(
    guilds: ProvidedGuilds, messages: ProvidedMessages, channel_id: str, message_id: str
) -> Response:
    readable_id = guilds.require_readable(parse(channel_id))
    return JSONResponse(messages.find(readable_id, parse(message_id)).to_wire())


@router.post("/channels/{channel_id}/messages")
async def create_message(
    front: ProvidedFront, guilds: ProvidedGuilds, messages: ProvidedMessages, request: Request, channel_id: str
) -> Response:
    writable_id = guilds.require_writable(parse(channel_id))
    body, files = await bodies.read(request)
    return JSONResponse(messages.send(writable_id, front.application.bot, body, files).to_wire())


@router.patch("/channels/{channel_id}/messages/{message_id}")
async def edit_message(
    front: ProvidedFront,
    guilds: ProvidedGuilds,
    messages: ProvidedMessages,
    request: Request,
    channel_id: str,
    message_id: str,
) -> Response:
    writable_id = guilds.require_writable(parse(channel_id))
    body, _ = await bodies.read(request)
    return JSONResponse(messages.edit(writable_id, parse(message_id), front.application.bot, body).to_wire())


@router.delete("/channels/{channel_id}/messages/{message_id}")
async def delete_message(
    guilds: ProvidedGuilds, messages: ProvidedMessages, channel_id: str, message_id: str
) -> Response:
    writable_id = guilds.require_writable(parse(channel_id))
    found = messages.find(writable_id, parse(message_id))
    guilds.require_deletable(writable_id, author_id=found.author.id)
    messages.delete(writable_id, found.id)
    return Response(status_code=204)
