"""Holds the queues of the IPC server for as long as the bot runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from bongsu.broker import Broker, BrokerError
from bongsu.broker.port import RpcHandler as Handle
from bongsu.contracts.queues import BOT_RPC, bot_rpc_shard
from bongsu.runtime.logging import get_logger
from bongsu_bot.rpc.handlers import RpcHandler
from bongsu_bot.settings import BotSettings

log = get_logger(__name__)
_RETRY_S = 1.0


@contextlib.asynccontextmanager
async def serving(broker: Broker, handler: RpcHandler, settings: BotSettings) -> AsyncIterator[None]:
    """Serve the common queue, and each own shard's alone.

    While the broker is away, or another process still has a shard's queue (the one that this one replaces), it is tried
    again.
    """
    wanted: list[tuple[str, Handle, bool]] = [(BOT_RPC, handler.on_any, False)]
    wanted += [(bot_rpc_shard(shard), handler.on_shard(shard), True) for shard in settings.own_shards]
    async with AsyncExitStack() as stack:
        tasks = [asyncio.create_task(_serve(broker, stack, *one), name=f"serve {one[0]}") for one in wanted]
        # What can be served at once is, when this returns: who starts the bot may ask it at once.
        await asyncio.wait(tasks, timeout=_RETRY_S)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(broker: Broker, stack: AsyncExitStack, queue: str, handle: Handle, exclusive: bool) -> None:
    told = False
    while True:
        try:
            consumer = await broker.serve(queue, handle, exclusive=exclusive)
        except BrokerError as error:
            if not told:
                log.warning("rpc.queue_waited_for", queue=queue, reason=str(error))
                told = True
            await asyncio.sleep(_RETRY_S)
        else:
            stack.push_async_callback(consumer.cancel)
            log.info("rpc.serving", queue=queue)
            return
