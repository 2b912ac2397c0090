"""Brokers that do as a test needs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from bongsu.broker import BrokerUnavailable, Message, PublishError
from bongsu.broker.memory import MemoryBroker


class CountingBroker(MemoryBroker):
    """Remembers what it was asked to publish, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Message] = []

    async def publish_many(
        self, items: Sequence[tuple[str, Message]], *, timeout_s: float = 5.0
    ) -> list[PublishError | None]:
        results = await super().publish_many(items, timeout_s=timeout_s)
        self.published += [message for (_, message), problem in zip(items, results, strict=True) if problem is None]
        return results


class SilentBroker(MemoryBroker):
    """Is connected and confirms nothing."""

    async def publish_many(
        self, items: Sequence[tuple[str, Message]], *, timeout_s: float = 5.0
    ) -> list[PublishError | None]:
        return [BrokerUnavailable(f"The broker did not answer within {timeout_s:g} s") for _ in items]


class HangingBroker(CountingBroker):
    """Publishes, and then does not come back: where a relay is when it is killed before it marks."""

    def __init__(self) -> None:
        super().__init__()
        self.has_published = asyncio.Event()

    async def publish_many(
        self, items: Sequence[tuple[str, Message]], *, timeout_s: float = 5.0
    ) -> list[PublishError | None]:
        results = await super().publish_many(items, timeout_s=timeout_s)
        self.has_published.set()
        await asyncio.Event().wait()
        return results


class EagerBroker(CountingBroker):
    """Has each message consumed before it comes back."""

    def __init__(self, consume: Callable[[UUID], Awaitable[None]]) -> None:
        super().__init__()
        self._consume = consume

    async def publish_many(
        self, items: Sequence[tuple[str, Message]], *, timeout_s: float = 5.0
    ) -> list[PublishError | None]:
        results = await super().publish_many(items, timeout_s=timeout_s)
        for _, message in items:
            await self._consume(UUID(message.id))
        return results


def numbers(broker: CountingBroker) -> list[object]:
    return [message.body["n"] for message in broker.published]
