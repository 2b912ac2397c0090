"""The IPC server: requests to the bot over the broker, each method by its name and no other."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from prometheus_client import Counter
from pydantic import ValidationError

from bongsu.broker import Broker, BrokerError, JsonObject, Message, RpcError, RpcTimeout, Unroutable
from bongsu.broker.requests import ask
from bongsu.broker.rpc import DEADLINE
from bongsu.contracts.queues import bot_rpc_shard
from bongsu.contracts.rpc import (
    BOT_REQUEST,
    BotRequest,
    GuildCount,
    GuildCountRequest,
    GuildLeaveRequest,
    GuildList,
    GuildListRequest,
    shard_of,
)
from bongsu.mixins import Database
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu_bot.departures.handlers import DepartureHandler
from bongsu_bot.errors import BotNotReady, ShardUnavailable
from bongsu_bot.guilds import service as guilds
from bongsu_bot.settings import BotSettings

log = get_logger(__name__)
_COUNT_S = 1.0
"""How long another shard may take to answer; less, if the caller has less."""
_MARGIN = 0.8
"""The share of the caller's time that another process gets."""
_WITHOUT_DEADLINE_S = 5.0


class RpcHandler:
    """Answers requests, whichever queue they came by.

    :param connected: whether a shard of this process is connected.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that requests are about
        self,
        broker: Broker,
        database: Database,
        departures: DepartureHandler,
        settings: BotSettings,
        *,
        connected: Callable[[int], bool],
        metrics: Metrics,
    ) -> None:
        self._broker = broker
        self._database = database
        self._departures = departures
        self._shards = settings.shards
        self._own_shards = frozenset(settings.own_shards)
        self._connected = connected
        self._requests = Counter(
            "bot_rpc_requests", "Requests over the broker", ("method", "outcome"), registry=metrics.registry
        )

    async def on_any(self, message: Message) -> JsonObject:
        """For the queue that all processes serve."""
        return await self._answer(message, None)

    def on_shard(self, shard: int) -> Callable[[Message], Awaitable[JsonObject]]:
        """For a shard's own queue."""
        return partial(self._answer, shard=shard)

    async def _answer(self, message: Message, shard: int | None) -> JsonObject:
        request = _read(message.body)
        began = time.monotonic()
        outcome = "failed"
        try:
            answer = await self._act(request, shard, message)
            outcome = "answered"
        except (RpcError, ServiceError) as error:
            outcome = error.code
            raise
        finally:
            self._requests.labels(request.method, outcome).inc()
            elapsed_ms = round((time.monotonic() - began) * 1000)
            log.info("rpc.answered", method=request.method, outcome=outcome, elapsed_ms=elapsed_ms)
        return answer

    async def _act(self, request: BotRequest, shard: int | None, message: Message) -> JsonObject:
        match request:
            case GuildCountRequest():
                return (await self._count(request, shard, message)).model_dump(mode="json")
            case GuildListRequest():
                return (await self._list(request)).model_dump(mode="json")
            case GuildLeaveRequest():
                return await self._leave(request, shard, message)

    async def _count(self, request: GuildCountRequest, shard: int | None, message: Message) -> GuildCount:
        asked = request.shard if shard is None else shard
        wanted = range(self._shards) if asked is None else (asked,)
        time_s = min(_COUNT_S, _remaining_s(message) * _MARGIN)
        counts = await asyncio.gather(*(self._count_shard(one, time_s, passed_on=shard is not None) for one in wanted))
        answered = [count for count in counts if count is not None]
        return GuildCount(guilds=sum(answered), shards_answered=len(answered), shards=len(wanted))

    async def _count_shard(self, shard: int, time_s: float, *, passed_on: bool) -> int | None:
        if shard in self._own_shards:
            return await guilds.count(shard, self._shards) if self._connected(shard) else None
        if passed_on or shard >= self._shards:
            return None
        try:
            found = await ask(
                self._broker, GuildCountRequest(shard=shard), deadline_s=time_s, queue=bot_rpc_shard(shard)
            )
        except BrokerError:
            return None
        return found.guilds if found.shards_answered else None

    async def _list(self, request: GuildListRequest) -> GuildList:
        if request.ids is not None:
            return GuildList(guilds=tuple(guild.summary for guild in await guilds.find(request.ids)))
        found = await guilds.page(after=request.after or 0, limit=request.limit + 1)
        shown = found[: request.limit]
        following = shown[-1].id if len(found) > request.limit else None
        return GuildList(guilds=tuple(guild.summary for guild in shown), next=following)

    async def _leave(self, request: GuildLeaveRequest, shard: int | None, message: Message) -> JsonObject:
        home = shard_of(request.guild_id, self._shards)
        if home in self._own_shards:
            if not self._connected(home):
                raise BotNotReady("The bot is not logged in", retry_after_s=5)
            return (await self._departures.leave(request)).model_dump(mode="json")
        if shard is not None:
            raise ShardUnavailable("The request came to another shard than the server's")
        try:
            return await self._broker.call(
                bot_rpc_shard(home), Message(body=message.body), deadline_s=_remaining_s(message) * _MARGIN
            )
        except (Unroutable, RpcTimeout) as error:
            raise ShardUnavailable("The part of the bot that is in this server does not answer") from error


def _read(body: JsonObject) -> BotRequest:
    try:
        return BOT_REQUEST.validate_python(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            raise RpcError("unknown_method", "The bot has no such method") from None
        where = ".".join(str(part) for part in first["loc"][1:])
        raise RpcError("invalid_request", f"{where}: {first['msg']}") from None


def _remaining_s(message: Message) -> float:
    try:
        return max(float(message.headers[DEADLINE]) - time.time(), 0.001)
    except (KeyError, ValueError):
        return _WITHOUT_DEADLINE_S
