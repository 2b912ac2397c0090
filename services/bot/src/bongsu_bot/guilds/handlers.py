"""The RPC methods about guilds."""

from collections.abc import Mapping

from bongsu.contracts.guilds import GuildListItem
from bongsu.contracts.rpc import GuildCount, GuildCountRequest, GuildList, GuildListRequest, shard_of
from bongsu_bot.guilds import service
from bongsu_bot.history.service import find_adders
from bongsu_bot.rpc.registry import Call, Registry
from bongsu_bot.shards.assignment import ShardAssignment
from bongsu_bot.shards.handlers import ShardHandlers


class GuildHandlers:
    """Counts over all shards, and lists from the database."""

    def __init__(self, shards: ShardAssignment, health: ShardHandlers) -> None:
        self._shards = shards
        self._health = health

    def register(self, registry: Registry) -> None:
        registry.add(GuildCountRequest, self.count_guilds)
        registry.add(GuildListRequest, self.list_guilds)

    async def count_guilds(self, request: GuildCountRequest, call: Call) -> GuildCount:
        """Count the guilds of one shard, or of all that answer in time."""
        shards = range(self._shards.total) if request.shard is None else (request.shard,)
        found = await self._health.ask_shards(shards, call)
        answered = [one.guilds or 0 for one in found if one.state == "connected"]
        return GuildCount(guilds=sum(answered), shards_answered=len(answered), shards=len(shards))

    async def list_guilds(self, request: GuildListRequest, call: Call) -> GuildList:
        """List guilds, by their IDs or page by page. A guild whose shard is not connected is unavailable."""
        added_by: Mapping[int, str | None] = {}
        if request.ids is not None:
            found, following = await service.find(request.ids), None
        else:
            found, following = await service.list_page(
                after=request.after or 0, limit=request.limit, search=request.search
            )
            added_by = await find_adders([guild.id for guild in found])
        shards = {shard_of(guild.id, self._shards.total) for guild in found}
        health = await self._health.ask_shards(shards, call, counted=False)
        disconnected = {one.shard for one in health if one.state != "connected"}
        guilds = [
            GuildListItem.model_validate(guild).model_copy(update={"added_by": added_by.get(guild.id)})
            for guild in found
        ]
        return GuildList(
            guilds=tuple(
                guild.model_copy(update={"status": "unavailable"})
                if guild.status == "active" and shard_of(guild.id, self._shards.total) in disconnected
                else guild
                for guild in guilds
            ),
            next=following,
        )
