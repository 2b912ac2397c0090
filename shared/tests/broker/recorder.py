"""Handlers for tests."""

import asyncio

from bongsu.broker import Delivery, JsonObject, Message

PATIENCE_S = 30.0
"""How long a test waits for an event that must come. No test passes by waiting that long."""
LONG_S = 4 * PATIENCE_S
"""A time limit for the code under test, where it must not wait: no test lasts that long."""


class Recorder:
    """A batch handler that keeps its deliveries for the test to await, and acknowledges them if `ack` is true."""

    def __init__(self, *, ack: bool = True) -> None:
        self.batches: list[list[Delivery]] = []
        self._ack = ack
        self._arrived: asyncio.Queue[Delivery] = asyncio.Queue()

    async def __call__(self, deliveries: list[Delivery]) -> None:
        self.batches.append(deliveries)
        for delivery in deliveries:
            if self._ack:
                await delivery.ack()
            self._arrived.put_nowait(delivery)

    @property
    def count(self) -> int:
        return sum(map(len, self.batches))

    async def next(self) -> Delivery:
        """Wait for the next delivery."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._arrived.get()

    async def take(self, count: int) -> list[Delivery]:
        """Wait for the next deliveries."""
        return [await self.next() for _ in range(count)]

    async def bodies(self, count: int) -> list[JsonObject]:
        """Wait for the bodies of the next deliveries."""
        return [delivery.message.body for delivery in await self.take(count)]


class TopicRecorder:
    """A topic handler that keeps its messages for the test to await."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, message: Message) -> None:
        self._arrived.put_nowait(message)

    @property
    def waiting(self) -> int:
        return self._arrived.qsize()

    async def next(self) -> Message:
        """Wait for the next message."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._arrived.get()


def numbered(count: int, start: int = 0) -> list[Message]:
    """Messages with the bodies {"n": start}, {"n": start + 1}, and so on."""
    return [Message(body={"n": number}) for number in range(start, start + count)]
