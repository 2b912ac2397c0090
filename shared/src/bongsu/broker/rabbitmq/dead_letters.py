"""Looking at dead letters, and sending them once more."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import get_args

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue, HeadersType

from bongsu.broker.encoding import decode_body
from bongsu.broker.port import DeadLetter, DeadLetterReason, dead_letter_queue
from bongsu.broker.rabbitmq.channels import OPERATION_TIMEOUT_S, close_quietly
from bongsu.broker.rabbitmq.failures import translated
from bongsu.broker.rabbitmq.link import Link
from bongsu.broker.rabbitmq.publishing import Publisher
from bongsu.broker.rabbitmq.session import received_message

PUT_BACK_LOOKS = 50
PUT_BACK_PAUSE_S = 0.01


class Graveyard:
    """A dead-letter queue on a channel of its own: what is taken and not removed is put back when that closes."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue) -> None:
        self._channel = channel
        self._queue = queue
        self._held = 0

    @classmethod
    async def open(cls, link: Link, queue: str) -> "Graveyard":
        """Open the dead-letter queue of a queue."""
        name = dead_letter_queue(queue)
        with translated(name):
            channel = link.connection.channel()
        try:
            with translated(name, timeout_s=OPERATION_TIMEOUT_S):
                async with asyncio.timeout(OPERATION_TIMEOUT_S):
                    await channel.initialize()
                    return cls(channel, await channel.declare_queue(name, passive=True))
        except BaseException:
            await close_quietly(channel)
            raise

    async def depth(self) -> int:
        """How many there are that nobody holds."""
        with translated(self._queue.name, timeout_s=OPERATION_TIMEOUT_S):
            found = await self._queue.declare(timeout=OPERATION_TIMEOUT_S)
        return found.message_count or 0

    async def take(self) -> AbstractIncomingMessage | None:
        """The next one."""
        with translated(self._queue.name, timeout_s=OPERATION_TIMEOUT_S):
            incoming = await self._queue.get(no_ack=False, fail=False, timeout=OPERATION_TIMEOUT_S)
        self._held += incoming is not None
        return incoming

    async def remove(self, incoming: AbstractIncomingMessage) -> None:
        """Delete one that was taken."""
        with translated(self._queue.name, timeout_s=OPERATION_TIMEOUT_S):
            await incoming.ack()
        self._held -= 1

    async def close(self) -> None:
        """Put back what was taken, in its order."""
        await close_quietly(self._channel)

    async def put_back(self, link: Link) -> None:
        """Put back what was taken, and see that it is there.

        A quorum queue does it after it has answered: whoever looked at once would find nothing.
        """
        others = await self.depth()
        await close_quietly(self._channel)
        again = await Graveyard.open(link, self._queue.name.removesuffix(dead_letter_queue("")))
        try:
            for _ in range(PUT_BACK_LOOKS):
                if await again.depth() >= others + self._held:
                    break
                await asyncio.sleep(PUT_BACK_PAUSE_S)
        finally:
            await again.close()


class DeadLetters:
    """Looks at dead letters, and publishes them again."""

    def __init__(self, link: Link, publisher: Publisher) -> None:
        self._link = link
        self._publisher = publisher

    async def list(self, queue: str, limit: int) -> list[DeadLetter]:
        """As `Broker.dead_letters`."""
        found: list[DeadLetter] = []
        async with self._graveyard(queue) as graveyard:
            while len(found) < limit and (incoming := await graveyard.take()) is not None:
                found.append(describe(queue, incoming))
        return found

    async def redrive(self, queue: str, limit: int | None, ids: Collection[str] | None) -> int:
        """As `Broker.redrive`."""
        moved = 0
        async with self._graveyard(queue) as graveyard:
            # Not more than there are now: one that dies again comes back here, and would go round for ever.
            for _ in range(await graveyard.depth()):
                if moved == limit or (one := await graveyard.take()) is None:
                    break
                if ids is not None and one.message_id not in ids:
                    continue
                await self._publisher.republish(queue, one.body, one.message_id or "", _own_headers(one.headers))
                await graveyard.remove(one)
                moved += 1
        return moved

    @asynccontextmanager
    async def _graveyard(self, queue: str) -> AsyncIterator[Graveyard]:
        graveyard = await Graveyard.open(self._link, queue)
        try:
            yield graveyard
            await graveyard.put_back(self._link)
        finally:
            await graveyard.close()


def describe(queue: str, incoming: AbstractIncomingMessage) -> DeadLetter:
    """What RabbitMQ says about a message's death."""
    reason: DeadLetterReason = "other"
    died_at: datetime | None = None
    deaths = incoming.headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(latest := deaths[0], dict):
        said = latest.get("reason")
        reason = next((known for known in get_args(DeadLetterReason) if known == said), "other")
        at = latest.get("time")
        died_at = at if isinstance(at, datetime) else None
    body = decode_body(incoming.body)
    message = received_message(incoming, body) if body is not None else None
    return DeadLetter(incoming.message_id or "", queue, reason, died_at, message, incoming.body)


def _own_headers(headers: HeadersType) -> HeadersType:
    return {name: value for name, value in headers.items() if not name.startswith("x-")}
