"""The RPC methods `guild_detail` and `channel_list`."""

from collections.abc import Callable
from datetime import UTC, datetime

import discord

from bongsu.contracts.channels import ChannelList, ChannelListRequest
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
        registry.add(ChannelListRequest, self.list_channels)

    async def get_detail(self, request: GuildDetailRequest, _call: Call) -> GuildDetail:
        """Return what the bot may do in a guild; errors as `_require_guild`."""
        guild = self._require_guild(request.guild_id)
        health = self._shards.health(shard_of(guild.id, self._shards.total))
        return GuildDetail(
            guild_id=guild.id,
            missing=find_missing(guild.me.guild_permissions),
            channels=list_channels(guild),
            at=datetime.now(UTC) if health.is_connected else health.since,
        )

    async def list_channels(self, request: ChannelListRequest, _call: Call) -> ChannelList:
        """List the text channels of a guild; errors as `_require_guild`."""
        guild = self._require_guild(request.guild_id)
        return ChannelList(guild_id=guild.id, channels=list_channels(guild))

    def _require_guild(self, guild_id: int) -> discord.Guild:
        """Return a guild that the gateway shows.

        :raises GuildNotFound: the bot is not in the guild.
        :raises ShardUnavailable: the bot has not logged in since it started, or the guild has an outage.
        """
        guild = self._find_guild(guild_id)
        if guild is None or guild.unavailable or guild.me is None:
            if guild is None and self._shards.health(shard_of(guild_id, self._shards.total)).is_connected:
                raise GuildNotFound
            raise ShardUnavailable("The bot does not receive this server's events")
        return guild
