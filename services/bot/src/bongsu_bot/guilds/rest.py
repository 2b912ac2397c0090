"""Guilds over Discord's REST API."""

from typing import Final

import discord

from bongsu_bot.errors import DiscordUnavailable, GuildNotFound
from bongsu_bot.guilds.port import GuildPermissions
from bongsu_bot.rest import RestClient

UNKNOWN_GUILD: Final = 10004
UNKNOWN_MEMBER: Final = 10007
UNKNOWN_USER: Final = 10013
MISSING_ACCESS: Final = 50001


class RestGuildDirectory:
    """Implements `GuildDirectory`."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    async def get_permissions(self, guild_id: int) -> GuildPermissions:
        """Get the owner and the roles of a guild."""
        try:
            guild = await self._rest.call(lambda http: http.get_guild(guild_id, with_counts=False))
        except discord.HTTPException as error:
            if error.code in {UNKNOWN_GUILD, MISSING_ACCESS}:
                raise GuildNotFound("The bot is not in this server") from None
            raise _unavailable(error) from error
        roles = {int(role["id"]): int(role["permissions"]) for role in guild["roles"]}
        return GuildPermissions(owner_id=int(guild["owner_id"]), roles=roles)

    async def get_member_roles(self, guild_id: int, user_id: int) -> frozenset[int] | None:
        """Get a member's roles."""
        try:
            member = await self._rest.call(lambda http: http.get_member(guild_id, user_id))
        except discord.HTTPException as error:
            if error.code in {UNKNOWN_MEMBER, UNKNOWN_USER}:
                return None
            raise _unavailable(error) from error
        return frozenset(int(role) for role in member["roles"])

    async def leave(self, guild_id: int) -> None:
        """Leave a guild."""
        try:
            await self._rest.call(lambda http: http.leave_guild(guild_id))
        except discord.HTTPException as error:
            if error.code != UNKNOWN_GUILD:
                raise _unavailable(error) from error


def _unavailable(error: discord.HTTPException) -> DiscordUnavailable:
    return DiscordUnavailable(f"Discord answered with status {error.status}")
