"""Guilds over REST, for the bot."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord.front import DiscordRoute, ProvidedFront, require_bot
from bongsu_sandbox.discord.guilds.service import Guilds
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.wire import Wire

ProvidedGuilds = Annotated[Guilds, Provided(Guilds)]

router = APIRouter(route_class=DiscordRoute, include_in_schema=False, dependencies=[Depends(require_bot)])


@router.get("/guilds/{guild_id}")
async def read_guild(guilds: ProvidedGuilds, guild_id: str, with_counts: Annotated[bool, Query()] = False) -> Response:
    guild = guilds.find_for_bot(parse(guild_id))
    counts: Wire = {
        "approximate_member_count": guild.member_count,
        "approximate_presence_count": guild.member_count // 3,
    }
    return JSONResponse(guild.to_wire() | (counts if with_counts else {}))


@router.get("/guilds/{guild_id}/channels")
async def list_channels(guilds: ProvidedGuilds, guild_id: str) -> Response:
    guild = guilds.find_for_bot(parse(guild_id))
    return JSONResponse([channel.to_wire() for channel in guild.channels.values()])


@router.get("/guilds/{guild_id}/roles")
async def list_roles(guilds: ProvidedGuilds, guild_id: str) -> Response:
    guild = guilds.find_for_bot(parse(guild_id))
    return JSONResponse([role.to_wire() for role in guild.roles.values()])


@router.get("/guilds/{guild_id}/members/{user_id}")
async def read_member(front: ProvidedFront, guilds: ProvidedGuilds, guild_id: str, user_id: str) -> Response:
    guild = guilds.find_for_bot(parse(guild_id))
    return JSONResponse(guilds.find_member(guild, front.application.id if user_id == "@me" else parse(user_id)))


@router.delete("/users/@me/guilds/{guild_id}")
async def leave_guild(guilds: ProvidedGuilds, guild_id: str) -> Response:
    guilds.leave(guilds.find_for_bot(parse(guild_id)))
    return Response(status_code=204)
