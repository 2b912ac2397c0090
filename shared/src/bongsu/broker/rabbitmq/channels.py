"""The channels of the publishing connection: one for publishing, one for declarations and queries.

RabbitMQ answers an error by closing the channel, so each channel is reopened when it is needed next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from aio_pika.abc import AbstractChannel

from bongsu.broker.errors import BrokerError
from bongsu.broker.rabbitmq.failures import translate_errors
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
        channel = self._channel
        if channel is not None and not channel.is_closed:
            return channel
        async with self._opening:
            channel = self._channel
            if channel is None or channel.is_closed:
                channel = connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.initialize()
                self._channel = channel
        return channel

    async def run(self, queue: str, operation: Callable[[AbstractChannel], Awaitable[T]]) -> T:
        """Run an operation on the channel, within `OPERATION_TIMEOUT_S`."""
        with translate_errors(queue, timeout_s=OPERATION_TIMEOUT_S):
            async with asyncio.timeout(OPERATION_TIMEOUT_S):
                return await operation(await self.get())


async def close_quietly(channel: AbstractChannel) -> None:
    """Close a channel that may be closed already, never opened, or lost with its connection."""
    if not channel.is_initialized:
        return
    with suppress(BrokerError), translate_errors(""):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await channel.close()
