"""The RPC methods `commands_get` and `commands_put`."""

from bongsu.contracts.guild_commands import CommandsGetRequest, CommandsPutRequest, GuildCommands
from bongsu.mixins import Database
from bongsu_bot.guild_commands import service
from bongsu_bot.guilds.authority import Authority
from bongsu_bot.rpc.registry import Call, Registry


class CommandHandlers:
    """Reads and sets which commands are off in a guild."""

    def __init__(self, database: Database, authority: Authority) -> None:
        self._database = database
        self._authority = authority

    def register(self, registry: Registry) -> None:
        registry.add(CommandsGetRequest, self.get)
        registry.add(CommandsPutRequest, self.put)

    async def get(self, request: CommandsGetRequest, _call: Call) -> GuildCommands:
        return await self._database.run(service.load, request.guild_id)

    async def put(self, request: CommandsPutRequest, call: Call) -> GuildCommands:
        """Set the commands, after a check at Discord that the user manages the guild.

        :raises NotLinked, NotAManager, GuildNotFound, Unavailable: as `Authority.require_for_guild`.
        :raises CommandUnknown, CommandsOutdated: as `service.put`.
        """
        await self._authority.require_for_guild(request.guild_id, call.actor_id)
        return await self._database.run(service.put, request, call.actor_id)
