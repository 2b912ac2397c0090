"""Handlers for tests."""

import asyncio

from bongsu.broker import Delivery, JsonObject, Message

PATIENCE_S = 30.0
"""How long a test waits for what must come: as long as a machine may stall. No test passes by using it up."""
LONG_S = 4 * PATIENCE_S
"""A limit of the code's own, for what must fail or happen at once: nobody waits until it is over."""


class Recorder:
    """A batch handler that keeps what it gets, for the test to await, and acknowledges it if it should."""

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
        """The next delivery that was not asked for yet."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._arrived.get()

    async def take(self, count: int) -> list[Delivery]:
        """The next deliveries."""
        return [await self.next() for _ in range(count)]

    async def bodies(self, count: int) -> list[JsonObject]:
        """The next deliveries' bodies."""
        return [delivery.message.body for delivery in await self.take(count)]


class TopicRecorder:
    """A topic handler that keeps what it gets."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, message: Message) -> None:
        self._arrived.put_nowait(message)

    @property
    def waiting(self) -> int:
        return self._arrived.qsize()

    async def next(self) -> Message:
        """The next message that was not asked for yet."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._arrived.get()


def numbered(count: int, start: int = 0) -> list[Message]:
    """Messages with the bodies {"n": start}, {"n": start + 1}, and so on."""
    return [Message(body={"n": number}) for number in range(start, start + count)]
