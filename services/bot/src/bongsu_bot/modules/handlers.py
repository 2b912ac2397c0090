"""The RPC methods `module_get` and `module_put`."""

from collections.abc import Callable
from uuid import UUID

import discord

from bongsu.contracts.rpc import GuildModules, ModuleGetRequest, ModulePutRequest, ModuleState
from bongsu.mixins import Database
from bongsu_bot.delegations.service import find_role
from bongsu_bot.details.gateway import find_missing
from bongsu_bot.guilds.authority import Authority
from bongsu_bot.guilds.port import GuildDirectory
from bongsu_bot.modules import service
from bongsu_bot.modules.posts import ModulePosts
from bongsu_bot.rpc.registry import Call, Registry

FindGuild = Callable[[int], discord.Guild | None]


class ModuleHandlers:
    """Reads and sets the modules of the guilds of this process's shards.

    :param find_guild: returns a guild from the gateway's cache, if the bot is in it.
    """

    def __init__(
        self,
        database: Database,
        directory: GuildDirectory,
        authority: Authority,
        posts: ModulePosts,
        find_guild: FindGuild,
    ) -> None:
        self._database = database
        self._directory = directory
        self._authority = authority
        self._posts = posts
        self._find_guild = find_guild

    def register(self, registry: Registry) -> None:
        registry.add(ModuleGetRequest, self.get)
        registry.add(ModulePutRequest, self.put)

    async def get(self, request: ModuleGetRequest, _call: Call) -> GuildModules:
        states = await self._database.run(service.list_states, request.guild_id)
        guild = self._find_guild(request.guild_id)
        return GuildModules(guild_id=request.guild_id, modules=tuple(_diagnose(guild, one) for one in states))

    async def put(self, request: ModulePutRequest, call: Call) -> ModuleState:
        """Set a module, after a check at Discord that the user manages the guild or has the role for its modules.

        :raises NotLinked, NotAManager, GuildNotFound, Unavailable: as `Authority.require_for_guild`.
        :raises ChannelRequired, ChannelNotFound, ModuleOutdated: as `service` does.
        """
        actor_id: UUID = call.actor_id
        role = await self._database.run(find_role, request.guild_id)
        await self._authority.require_for_guild(request.guild_id, actor_id, or_role=role)
        await service.require_channel(self._directory, request)
        change = await self._database.run(service.put, request, actor_id)
        if change.is_new:
            key = f"modules.{request.module}_{'on' if request.enabled else 'off'}"
            nonce = f"m-{request.module}-{change.state.revision}-{request.guild_id % 10**10}"
            self._posts.log(request.guild_id, nonce[:25], key)
        return _diagnose(self._find_guild(request.guild_id), change.state)


def _diagnose(guild: discord.Guild | None, state: ModuleState) -> ModuleState:
    """Add what keeps a module from working, as the gateway's cache knows it."""
    if state.channel_id is None:
        return state
    if guild is None or guild.unavailable or guild.me is None:
        return state.model_copy(update={"missing": None})
    channel = guild.get_channel(state.channel_id)
    if channel is None:
        return state.model_copy(update={"is_channel_gone": True})
    return state.model_copy(update={"missing": find_missing(channel.permissions_for(guild.me))})
