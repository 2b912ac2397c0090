"""The RPC method `guild_detail`."""

from collections.abc import Callable
from datetime import UTC, datetime

import discord

from bongsu.contracts.rpc import GuildDetail, GuildDetailRequest, shard_of
from bongsu_bot.details.gateway import find_missing, list_channels
from bongsu_bot.errors import GuildNotFound, ShardUnavailable
from bongsu_bot.rpc.registry import Call, Registry
from bongsu_bot.shards.assignment import ShardAssignment


class DetailHandlers:
    """Reads a guild of this process's shards.

    :param find_guild: returns a guild from the gateway's cache, if the bot is in it.
    """

    def __init__(self, shards: ShardAssignment, find_guild: Callable[[int], discord.Guild | None]) -> None:
        self._shards = shards
        self._find_guild = find_guild

    def register(self, registry: Registry) -> None:
        registry.add(GuildDetailRequest, self.get_detail)

    async def get_detail(self, request: GuildDetailRequest, _call: Call) -> GuildDetail:
        """Return what the bot may do in a guild.

        :raises GuildNotFound: the bot is not in the guild.
        :raises ShardUnavailable: the bot has not logged in since it started, or the guild has an outage.
        """
        health = self._shards.health(shard_of(request.guild_id, self._shards.total))
        guild = self._find_guild(request.guild_id)
        if guild is None or guild.unavailable or guild.me is None:
            if guild is None and health.is_connected:
                raise GuildNotFound
            raise ShardUnavailable("The bot does not receive this server's events")
        return GuildDetail(
            guild_id=guild.id,
            missing=find_missing(guild.me.guild_permissions),
            channels=list_channels(guild),
            at=datetime.now(UTC) if health.is_connected else health.since,
        )
