"""The channels of the publishing connection: one for publishing, one for declarations and queries.

RabbitMQ answers an error by closing the channel, so each channel is reopened when it is needed next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from aio_pika.abc import AbstractChannel, AbstractConnection

from bongsu.broker.errors import BrokerError
from bongsu.broker.rabbitmq.failures import time_limit, translate_errors
from bongsu.broker.rabbitmq.link import Link

T = TypeVar("T")
OPERATION_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0


class ReopeningChannel:
    """A channel that is opened when it is needed."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def get(self) -> AbstractChannel:
        """The open channel.

        :raises BrokerUnavailable: not connected.
        """
        connection = self._link.connection
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                channel = connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.initialize()
                self._channel = channel
            return self._channel

    async def run(self, queue: str, operation: Callable[[AbstractChannel], Awaitable[T]]) -> T:
        """Run an operation on the channel, within `OPERATION_TIMEOUT_S`."""
        async with time_limit(queue, OPERATION_TIMEOUT_S):
            return await operation(await self.get())


async def open_channel(
    connection: AbstractConnection, queue: str, prepare: Callable[[AbstractChannel], Awaitable[T]]
) -> tuple[AbstractChannel, T]:
    """Open a channel and prepare it, within `OPERATION_TIMEOUT_S`. It is closed again if that fails."""
    with translate_errors(queue):
        channel = connection.channel()
    try:
        async with time_limit(queue, OPERATION_TIMEOUT_S):
            await channel.initialize()
            return channel, await prepare(channel)
    except BaseException:
        await close_quietly(channel)
        raise


async def close_quietly(channel: AbstractChannel) -> None:
    """Close a channel that may be closed already, never opened, or lost with its connection."""
    if not channel.is_initialized:
        return
    with suppress(BrokerError):
        async with time_limit("", CLOSE_TIMEOUT_S):
            await channel.close()
