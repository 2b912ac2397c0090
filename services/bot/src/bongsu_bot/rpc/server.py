"""The RPC server (the bot's IPC): takes requests from the broker and runs each on the process that has to answer it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter

from bongsu.broker import Broker, BrokerError, JsonObject, Message, RpcError, RpcTimeout, Unroutable
from bongsu.broker.port import RpcHandler
from bongsu.broker.rpc import deadline_of
from bongsu.contracts.queues import BOT_MESSAGES, BOT_RPC, bot_rpc_shard
from bongsu.contracts.rpc import (
    GuildCommand,
    GuildRequest,
    RpcRequest,
    ServiceRequest,
    ShardRequest,
    guild_target,
    shard_of,
)
from bongsu.identity.assertions import AssertionRefused, AssertionVerifier
from bongsu.identity.nonces import Nonces
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu_bot.errors import AssertionNotAccepted, SenderRefused, ShardUnavailable
from bongsu_bot.rpc.registry import Call, Registry
from bongsu_bot.shards.assignment import ShardAssignment

log = get_logger(__name__)
FORWARDED_FRACTION: Final = 0.8
"""The part of the caller's time that another process gets."""
PREFETCH: Final = 16
MESSAGES_PREFETCH: Final = 64
DRAIN_S: Final = 2.0
"""How long requests that run at the stop may take: a message may wait for a rate limit much longer."""
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Serving:
    """A queue that is served; `attempted` is set after the first attempt."""

    task: "asyncio.Task[None]"
    attempted: asyncio.Event


class RpcServer:
    """Serves the registered methods on the queue that all processes share, and on those of its own shards.

    A request that belongs to another process's shard is forwarded once. The assertion of a `GuildCommand` is verified
    and used up before its handler runs; a `ServiceRequest` is admitted by the broker user that sent it.

    :param notify_user: the broker user of notify.
    """

    def __init__(  # noqa: PLR0913 - the collaborators of the server
        self,
        broker: Broker,
        registry: Registry,
        shards: ShardAssignment,
        assertions: AssertionVerifier,
        metrics: Metrics,
        *,
        notify_user: str,
    ) -> None:
        self._notify_user = notify_user
        self._broker = broker
        self._registry = registry
        self._shards = shards
        self._assertions = assertions
        self._nonces = Nonces()
        self._requests = Counter(
            "bot_rpc_requests", "Requests over the broker", ("method", "outcome"), registry=metrics.registry
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the block runs.

        A queue that cannot be served yet is retried: the broker may be away, or the process that had the shard before
        may still serve its queue. Queues that can be served are, when the block starts.
        """
        shared = self._start(BOT_RPC, self.answer)
        messages = self._start(BOT_MESSAGES, self.answer, prefetch=MESSAGES_PREFETCH)
        first_own = asyncio.Event()
        own = asyncio.create_task(self._serve_own(first_own), name="serve shards")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_S):
                await shared.attempted.wait()
                await messages.attempted.wait()
                await first_own.wait()
        try:
            yield
        finally:
            await _cancel(shared.task, messages.task, own)

    async def _serve_own(self, first: asyncio.Event) -> None:
        """Serve the queues of the shards that this process has, as they change."""
        queues: dict[int, _Serving] = {}
        leases = self._shards.leases
        try:
            while True:
                own = leases.own
                await _cancel(*(queues.pop(shard).task for shard in [*queues] if shard not in own))
                for shard in own - queues.keys():
                    handler = partial(self.answer, shard=shard)
                    queues[shard] = self._start(bot_rpc_shard(shard), handler, exclusive=True)
                await asyncio.gather(*(one.attempted.wait() for one in queues.values()))
                first.set()
                await leases.wait_for_change(own)
        finally:
            await _cancel(*(one.task for one in queues.values()))

    def _start(
        self, queue: str, handler: RpcHandler, *, exclusive: bool = False, prefetch: int = PREFETCH
    ) -> "_Serving":
        attempted = asyncio.Event()
        serving = self._serve(queue, handler, attempted, exclusive=exclusive, prefetch=prefetch)
        return _Serving(asyncio.create_task(serving, name=f"serve {queue}"), attempted)

    async def _serve(
        self, queue: str, handler: RpcHandler, attempted: asyncio.Event, *, exclusive: bool, prefetch: int
    ) -> None:
        """Serve a queue until the task is cancelled."""
        while True:
            try:
                consumer = await self._broker.serve(queue, handler, prefetch=prefetch, exclusive=exclusive)
            except BrokerError as error:
                if not attempted.is_set():
                    log.warning("rpc.queue_unavailable", queue=queue, reason=str(error))
                attempted.set()
                await asyncio.sleep(_RETRY_S)
                continue
            attempted.set()
            log.info("rpc.serving", queue=queue)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await consumer.cancel(drain_s=DRAIN_S)

    async def answer(self, message: Message, shard: int | None = None) -> JsonObject:
        """Answer a request.

        :param shard: the shard on whose queue it came; None for the shared queue.
        """
        request, handler = self._registry.read(message.body)
        began = time.monotonic()
        outcome = "failed"
        try:
            self._admit(request, message)
            home = self._home(request)
            if home is not None and home not in self._shards.own:
                answer = await self._forward(message, home, is_forwarded=shard is not None)
            else:
                call = Call(_deadline(message), await self._authenticate(request))
                if call.actor is not None and home is not None:
                    await self._shards.leases.fence(home)
                answer = (await handler(request, call)).model_dump(mode="json")
            outcome = "answered"
        except (RpcError, ServiceError) as error:
            outcome = error.code
            raise
        finally:
            self._requests.labels(request.method, outcome).inc()
            elapsed_ms = round((time.monotonic() - began) * 1000)
            log.info("rpc.answered", method=request.method, outcome=outcome, elapsed_ms=elapsed_ms)
        return answer

    def _admit(self, request: RpcRequest[Any], message: Message) -> None:
        if isinstance(request, ServiceRequest) and message.user_id != self._notify_user:
            log.warning("rpc.sender_refused", method=request.method, sender=message.user_id)
            raise SenderRefused

    def _home(self, request: RpcRequest[Any]) -> int | None:
        """The shard whose process answers the request; None where any process does."""
        if isinstance(request, GuildRequest):
            return shard_of(request.guild_id, self._shards.total)
        return request.shard if isinstance(request, ShardRequest) else None

    async def _forward(self, message: Message, home: int, *, is_forwarded: bool) -> JsonObject:
        if is_forwarded:
            raise ShardUnavailable("The request was sent to the wrong shard")
        deadline_s = Call(_deadline(message)).remaining_s * FORWARDED_FRACTION
        try:
            return await self._broker.call(bot_rpc_shard(home), Message(body=message.body), deadline_s=deadline_s)
        except (Unroutable, RpcTimeout) as error:
            raise ShardUnavailable("The part of the bot that serves this server does not answer") from error

    async def _authenticate(self, request: RpcRequest[Any]) -> UUID | None:
        if not isinstance(request, GuildCommand):
            return None
        try:
            claims = await self._assertions.verify(
                request.assertion, method=request.method, target=guild_target(request.guild_id)
            )
        except AssertionRefused as error:
            log.warning("assertion.refused", method=request.method, guild_id=request.guild_id, reason=str(error))
            raise AssertionNotAccepted("The assertion is not valid for this request") from error
        if not await self._nonces.use("assertion", str(claims.jti)):
            log.warning("assertion.replayed", method=request.method, guild_id=request.guild_id)
            raise AssertionNotAccepted("The assertion has been used before")
        return claims.sub


async def _cancel(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _deadline(message: Message) -> float:
    deadline = deadline_of(message)
    assert deadline is not None  # noqa: S101 - the broker hands over no request without one
    return deadline
