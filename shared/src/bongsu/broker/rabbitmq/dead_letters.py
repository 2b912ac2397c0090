"""Lists dead letters, and sends them again."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import get_args

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue, HeadersType

from bongsu.broker.encoding import decode_body
from bongsu.broker.port import DeadLetter, DeadLetterReason, dead_letter_queue
from bongsu.broker.rabbitmq.channels import OPERATION_TIMEOUT_S, close_quietly, open_channel
from bongsu.broker.rabbitmq.failures import translate_errors
from bongsu.broker.rabbitmq.link import Link
from bongsu.broker.rabbitmq.publishing import Publisher
from bongsu.broker.rabbitmq.session import received_message

RETURN_LOOKS = 50
RETURN_PAUSE_S = 0.01


class DeadLetterQueue:
    """A dead-letter queue on a channel of its own: messages taken and not removed return when the channel closes."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue) -> None:
        self._channel = channel
        self._queue = queue
        self._held = 0

    @classmethod
    async def open(cls, link: Link, queue: str) -> "DeadLetterQueue":
        """Open the dead-letter queue of a queue."""
        name = dead_letter_queue(queue)
        channel, found = await open_channel(link.connection, name, lambda new: new.declare_queue(name, passive=True))
        return cls(channel, found)

    async def depth(self) -> int:
        """Count the messages that are ready."""
        with translate_errors(self._queue.name, timeout_s=OPERATION_TIMEOUT_S):
            found = await self._queue.declare(timeout=OPERATION_TIMEOUT_S)
        return found.message_count or 0

    async def take(self) -> AbstractIncomingMessage | None:
        """Take the next message."""
        with translate_errors(self._queue.name, timeout_s=OPERATION_TIMEOUT_S):
            incoming = await self._queue.get(no_ack=False, fail=False, timeout=OPERATION_TIMEOUT_S)
        self._held += incoming is not None
        return incoming

    async def remove(self, incoming: AbstractIncomingMessage) -> None:
        """Delete a taken message."""
        with translate_errors(self._queue.name, timeout_s=OPERATION_TIMEOUT_S):
            await incoming.ack()
        self._held -= 1

    async def close(self) -> None:
        """Return the taken messages, in their order."""
        await close_quietly(self._channel)

    async def return_taken(self, link: Link) -> None:
        """Return the taken messages, and wait until the queue has them.

        A quorum queue returns them after it has confirmed the close: an immediate look would find none.
        """
        others = await self.depth()
        await close_quietly(self._channel)
        again = await DeadLetterQueue.open(link, self._queue.name.removesuffix(dead_letter_queue("")))
        try:
            for _ in range(RETURN_LOOKS):
                if await again.depth() >= others + self._held:
                    break
                await asyncio.sleep(RETURN_PAUSE_S)
        finally:
            await again.close()


class DeadLetters:
    """Implements `dead_letters` and `redrive` of the port."""

    def __init__(self, link: Link, publisher: Publisher) -> None:
        self._link = link
        self._publisher = publisher

    async def list(self, queue: str, limit: int) -> list[DeadLetter]:
        """As `Broker.dead_letters`."""
        found: list[DeadLetter] = []
        async with self._open(queue) as source:
            while len(found) < limit and (incoming := await source.take()) is not None:
                found.append(describe(queue, incoming))
        return found

    async def redrive(self, queue: str, limit: int | None, ids: Collection[str] | None) -> int:
        """As `Broker.redrive`."""
        moved = 0
        async with self._open(queue) as source:
            # At most as many as there are now: one that is dead-lettered again would otherwise circulate for ever.
            for _ in range(await source.depth()):
                if moved == limit or (one := await source.take()) is None:
                    break
                if ids is not None and one.message_id not in ids:
                    continue
                await self._publisher.republish(queue, one.body, one.message_id or "", _own_headers(one.headers))
                await source.remove(one)
                moved += 1
        return moved

    @asynccontextmanager
    async def _open(self, queue: str) -> AsyncIterator[DeadLetterQueue]:
        source = await DeadLetterQueue.open(self._link, queue)
        try:
            yield source
            await source.return_taken(self._link)
        finally:
            await source.close()


def describe(queue: str, incoming: AbstractIncomingMessage) -> DeadLetter:
    """Describe a dead letter by RabbitMQ's `x-death` header."""
    reason: DeadLetterReason = "other"
    died_at: datetime | None = None
    deaths = incoming.headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(latest := deaths[0], dict):
        found = latest.get("reason")
        reason = next((known for known in get_args(DeadLetterReason) if known == found), "other")
        at = latest.get("time")
        died_at = at if isinstance(at, datetime) else None
    body = decode_body(incoming.body)
    message = received_message(incoming, body) if body is not None else None
    return DeadLetter(incoming.message_id or "", queue, reason, died_at, message, incoming.body)


def _own_headers(headers: HeadersType) -> HeadersType:
    return {name: value for name, value in headers.items() if not name.startswith("x-")}
