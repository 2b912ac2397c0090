"""The RPC method about shards, and the question to all of them that other methods ask first."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from bongsu.broker import Broker, BrokerError
from bongsu.broker.requests import ask
from bongsu.contracts.queues import bot_rpc_shard
from bongsu.contracts.rpc import BotStatus, ShardStatus, ShardStatusRequest
from bongsu_bot.rpc.registry import Call, Registry
from bongsu_bot.rpc.server import FORWARDED_FRACTION
from bongsu_bot.shards.assignment import ShardAssignment


class ShardHandlers:
    """Reads the health of this process's shards, and asks other processes for theirs.

    :param count_guilds: counts the guilds that the bot is in on one shard, of so many.
    """

    def __init__(
        self, broker: Broker, shards: ShardAssignment, count_guilds: Callable[[int, int], Awaitable[int]]
    ) -> None:
        self._broker = broker
        self._shards = shards
        self._count_guilds = count_guilds

    def register(self, registry: Registry) -> None:
        registry.add(ShardStatusRequest, self.get_status)

    async def get_status(self, request: ShardStatusRequest, call: Call) -> BotStatus:
        """Return the health of one shard, or of all."""
        shards = range(self._shards.total) if request.shard is None else (request.shard,)
        return BotStatus(
            shards=tuple(await self.ask_shards(shards, call, counted=request.counted)), at=datetime.now(UTC)
        )

    async def ask_shards(self, shards: Iterable[int], call: Call, *, counted: bool = True) -> list[ShardStatus]:
        """Return the health of shards; those whose process does not answer in time are `unreachable`.

        :param counted: count the guilds of each, which takes a query.
        """
        return await asyncio.gather(*(self._ask_shard(shard, call, counted=counted) for shard in shards))

    async def _ask_shard(self, shard: int, call: Call, *, counted: bool) -> ShardStatus:
        if shard in self._shards.own:
            health = self._shards.health(shard)
            return ShardStatus(
                shard=shard,
                state=health.state,
                since=health.since,
                latency_ms=None if health.latency_s is None else round(health.latency_s * 1000),
                guilds=await self._count_guilds(shard, self._shards.total) if counted else None,
            )
        request = ShardStatusRequest(shard=shard, counted=counted)
        deadline_s = call.remaining_s * FORWARDED_FRACTION
        try:
            answer = await ask(self._broker, request, deadline_s=deadline_s, queue=bot_rpc_shard(shard))
        except BrokerError:
            return ShardStatus(shard=shard, state="unreachable")
        return answer.shards[0]
