"""Looking at dead letters, and sending them once more."""

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


class DeadLetters:
    """Works on a channel of its own: closing it puts everything back that was only looked at, in its order."""

    def __init__(self, link: Link, publisher: Publisher) -> None:
        self._link = link
        self._publisher = publisher

    async def list(self, queue: str, limit: int) -> list[DeadLetter]:
        """As `Broker.dead_letters`."""
        found: list[DeadLetter] = []
        async with self._graveyard(queue) as (graveyard, depth):
            while len(found) < min(limit, depth) and (incoming := await take(graveyard)) is not None:
                found.append(describe(queue, incoming))
        return found

    async def redrive(self, queue: str, limit: int | None, ids: Collection[str] | None) -> int:
        """As `Broker.redrive`."""
        moved = 0
        # Not more than there are now: one that dies again comes back here, and would go round for ever.
        async with self._graveyard(queue) as (graveyard, depth):
            for _ in range(depth):
                if moved == limit or (one := await take(graveyard)) is None:
                    break
                if ids is not None and one.message_id not in ids:
                    continue
                await self._publisher.republish(queue, one.body, one.message_id or "", _own_headers(one.headers))
                with translated(graveyard.name, timeout_s=OPERATION_TIMEOUT_S):
                    await one.ack()
                moved += 1
        return moved

    @asynccontextmanager
    async def _graveyard(self, queue: str) -> AsyncIterator[tuple[AbstractQueue, int]]:
        name = dead_letter_queue(queue)
        channel: AbstractChannel = self._link.connection.channel()
        with translated(name):
            await channel.initialize()
        try:
            with translated(name):
                graveyard = await channel.declare_queue(name, passive=True, timeout=OPERATION_TIMEOUT_S)
            yield graveyard, graveyard.declaration_result.message_count or 0
        finally:
            await close_quietly(channel)


async def take(graveyard: AbstractQueue) -> AbstractIncomingMessage | None:
    """The next message, held until it is settled or the channel closes."""
    with translated(graveyard.name, timeout_s=OPERATION_TIMEOUT_S):
        return await graveyard.get(no_ack=False, fail=False, timeout=OPERATION_TIMEOUT_S)


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
