"""Guilds over Discord's REST, by the bot's own token and py-cord's client, which keeps to the rate limits."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import aiohttp
import discord
from discord.http import HTTPClient

from bongsu_bot.errors import DiscordUnavailable, GuildNotFound
from bongsu_bot.guilds.port import GuildFacts

T = TypeVar("T")
UNKNOWN_GUILD: Final = 10004
UNKNOWN_MEMBER: Final = 10007
MISSING_ACCESS: Final = 50001


class RestGuildDirectory:
    """Satisfies `port.GuildDirectory`.

    :param http: the client that is logged in; it raises BotNotReady while there is none.
    """

    def __init__(self, http: Callable[[], HTTPClient]) -> None:
        self._http = http

    async def facts(self, guild_id: int) -> GuildFacts:
        """As the port says."""
        try:
            found = await _asked(self._http().get_guild(guild_id, with_counts=False))
        except discord.HTTPException as error:
            if error.code in {UNKNOWN_GUILD, MISSING_ACCESS}:
                raise GuildNotFound("The bot is not in this server") from None
            raise _unavailable(error) from error
        roles = {int(role["id"]): int(role["permissions"]) for role in found["roles"]}
        return GuildFacts(id=guild_id, owner_id=int(found["owner_id"]), roles=roles)

    async def roles_of(self, guild_id: int, user_id: int) -> frozenset[int] | None:
        """As the port says."""
        try:
            found = await _asked(self._http().get_member(guild_id, user_id))
        except discord.HTTPException as error:
            if error.code == UNKNOWN_MEMBER:
                return None
            raise _unavailable(error) from error
        return frozenset(int(role) for role in found["roles"])

    async def leave(self, guild_id: int) -> None:
        """As the port says."""
        try:
            await _asked(self._http().leave_guild(guild_id))
        except discord.HTTPException as error:
            if error.code != UNKNOWN_GUILD:
                raise _unavailable(error) from error


async def _asked(call: Awaitable[T]) -> T:
    try:
        return await call
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        raise DiscordUnavailable("Discord does not answer") from error


def _unavailable(error: discord.HTTPException) -> DiscordUnavailable:
    return DiscordUnavailable(f"Discord answered {error.status}")
