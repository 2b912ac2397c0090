"""The RPC methods about guilds."""

import asyncio

from bongsu.broker import Broker, BrokerError
from bongsu.broker.requests import ask
from bongsu.contracts.guilds import GuildSummary
from bongsu.contracts.queues import bot_rpc_shard
from bongsu.contracts.rpc import GuildCount, GuildCountRequest, GuildList, GuildListRequest, shard_of
from bongsu_bot.guilds import service
from bongsu_bot.rpc.registry import Call, Registry
from bongsu_bot.rpc.server import FORWARDED_FRACTION
from bongsu_bot.shards.assignment import ShardAssignment


class GuildHandlers:
    """Counts over all shards, and lists from the database."""

    def __init__(self, broker: Broker, shards: ShardAssignment) -> None:
        self._broker = broker
        self._shards = shards

    def register(self, registry: Registry) -> None:
        registry.add(GuildCountRequest, self.count_guilds)
        registry.add(GuildListRequest, self.list_guilds)

    async def count_guilds(self, request: GuildCountRequest, call: Call) -> GuildCount:
        """Count the guilds of one shard, or of all that answer in time."""
        shards = range(self._shards.total) if request.shard is None else (request.shard,)
        counts = await asyncio.gather(*(self._count_shard(shard, call) for shard in shards))
        answered = [count for count in counts if count is not None]
        return GuildCount(guilds=sum(answered), shards_answered=len(answered), shards=len(shards))

    async def _count_shard(self, shard: int, call: Call) -> int | None:
        if shard in self._shards.own:
            return await service.count(shard, self._shards.total) if self._shards.is_connected(shard) else None
        request = GuildCountRequest(shard=shard)
        deadline_s = call.remaining_s * FORWARDED_FRACTION
        try:
            found = await ask(self._broker, request, deadline_s=deadline_s, queue=bot_rpc_shard(shard))
        except BrokerError:
            return None
        return found.guilds if found.shards_answered else None

    async def list_guilds(self, request: GuildListRequest, call: Call) -> GuildList:
        """List guilds, by their IDs or page by page. A guild whose shard is not connected is unavailable."""
        if request.ids is not None:
            found, following = await service.find(request.ids), None
        else:
            found, following = await service.list_page(after=request.after or 0, limit=request.limit)
        shards = {shard_of(guild.id, self._shards.total) for guild in found}
        counts = await asyncio.gather(*(self._count_shard(shard, call) for shard in shards))
        disconnected = {shard for shard, count in zip(shards, counts, strict=True) if count is None}
        guilds = [GuildSummary.model_validate(guild) for guild in found]
        return GuildList(
            guilds=tuple(
                guild.model_copy(update={"status": "unavailable"})
                if guild.status == "active" and shard_of(guild.id, self._shards.total) in disconnected
                else guild
                for guild in guilds
            ),
            next=following,
        )
