"""Guilds over Discord's REST API."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import discord
from discord.http import HTTPClient

from bongsu_bot.errors import ChannelNotFound, DiscordUnavailable, GuildNotFound
from bongsu_bot.guilds.port import ChannelInfo, GuildPermissions, ListedGuild
from bongsu_bot.rest import RestClient

PAGE: Final = 200
UNKNOWN_GUILD: Final = 10004
UNKNOWN_MEMBER: Final = 10007
UNKNOWN_USER: Final = 10013
MISSING_ACCESS: Final = 50001


class RestGuildDirectory:
    """Implements `GuildDirectory`."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    async def list_guilds(self) -> Sequence[ListedGuild]:
        found: list[ListedGuild] = []
        while True:
            after = found[-1].id if found else None
            try:
                page: Sequence[Mapping[str, Any]] = await self._rest.call(
                    partial(HTTPClient.get_guilds, limit=PAGE, after=after, with_counts=True)
                )
            except discord.HTTPException as error:
                raise _unavailable(error) from error
            found += [
                ListedGuild(int(one["id"]), one["name"], one["icon"], one.get("approximate_member_count"))
                for one in page
            ]
            if len(page) < PAGE:
                return found

    async def get_permissions(self, guild_id: int) -> GuildPermissions:
        try:
            guild = await self._rest.call(lambda http: http.get_guild(guild_id, with_counts=False))
        except discord.HTTPException as error:
            if error.code in {UNKNOWN_GUILD, MISSING_ACCESS}:
                raise GuildNotFound from None
            raise _unavailable(error) from error
        roles = {int(role["id"]): int(role["permissions"]) for role in guild["roles"]}
        return GuildPermissions(
            id=guild_id,
            name=guild["name"],
            owner_id=int(guild["owner_id"]),
            roles=roles,
            managed=frozenset(int(role["id"]) for role in guild["roles"] if role["managed"]),
        )

    async def get_member_roles(self, guild_id: int, user_id: int) -> frozenset[int] | None:
        try:
            member = await self._rest.call(lambda http: http.get_member(guild_id, user_id))
        except discord.HTTPException as error:
            if error.code in {UNKNOWN_MEMBER, UNKNOWN_USER}:
                return None
            raise _unavailable(error) from error
        return frozenset(int(role) for role in member["roles"])

    async def get_channel(self, channel_id: int) -> ChannelInfo:
        try:
            channel: Mapping[str, Any] = await self._rest.call(lambda http: http.get_channel(channel_id))
        except discord.HTTPException as error:
            if error.status in {403, 404}:
                raise ChannelNotFound from None
            raise _unavailable(error) from error
        guild_id = channel.get("guild_id")
        return ChannelInfo(
            id=channel_id, name=channel.get("name") or "", guild_id=int(guild_id) if guild_id is not None else None
        )

    async def leave(self, guild_id: int) -> None:
        try:
            await self._rest.call(lambda http: http.leave_guild(guild_id))
        except discord.HTTPException as error:
            if error.code != UNKNOWN_GUILD:
                raise _unavailable(error) from error


def _unavailable(error: discord.HTTPException) -> DiscordUnavailable:
    return DiscordUnavailable(f"Discord answered with status {error.status}")
