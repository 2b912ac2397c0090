"""The queues and exchanges as they are declared on RabbitMQ."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from pamqp.common import FieldValue

from bongsu.broker.errors import AccessRefused, BrokerError, QueueMismatch
from bongsu.broker.port import QueueSpec
from bongsu.broker.rabbitmq.channels import OPERATION_TIMEOUT_S, close_quietly
from bongsu.broker.rabbitmq.failures import translated
from bongsu.broker.rabbitmq.publishing import declare_topic_exchange

DEAD_LETTER_DELIVERY_LIMIT = 1_000_000
"""Looking at a dead letter returns it, which counts; from 4.0 on the default limit would delete it at the 21st look."""

ABANDONED_MS = 60_000
"""When to delete a queue for calls that nobody came back to serve after RabbitMQ was restarted."""


class Topology:
    """What this process declared, so that it can be declared again on a new connection."""

    def __init__(self, on_refused: Callable[[BrokerError], None]) -> None:
        self.specs: dict[str, QueueSpec] = {}
        self._on_refused = on_refused

    def remember(self, *specs: QueueSpec) -> None:
        """Declare these from now on."""
        self.specs.update({spec.name: spec for spec in specs})

    async def restore(self, connection: AbstractConnection) -> None:
        """Declare everything on a new connection: it may be to a broker that lost its disk."""
        for spec in [*self.specs.values()]:
            with translated(spec.name):
                channel = connection.channel()
            try:
                with translated(spec.name, timeout_s=OPERATION_TIMEOUT_S):
                    async with asyncio.timeout(OPERATION_TIMEOUT_S):
                        await channel.initialize()
                        await declare(channel, spec)
            except (QueueMismatch, AccessRefused) as error:
                self._on_refused(error)
            finally:
                await close_quietly(channel)

    async def find(self, channel: AbstractChannel, name: str) -> AbstractQueue:
        """A queue to consume from; declared (again) if this process knows how."""
        spec = self.specs.get(name)
        if spec is not None:
            return await declare(channel, spec)
        return await channel.get_queue(name)


async def declare(channel: AbstractChannel, spec: QueueSpec) -> AbstractQueue:
    """Declare a durable queue and its dead-letter queue."""
    arguments: dict[str, FieldValue] = {"x-queue-type": "quorum", "x-delivery-limit": spec.delivery_limit}
    if spec.dead_letter_queue is not None:
        await channel.declare_queue(
            spec.dead_letter_queue,
            durable=True,
            arguments={"x-queue-type": "quorum", "x-delivery-limit": DEAD_LETTER_DELIVERY_LIMIT},
        )
        # The message leaves its queue only when the dead-letter queue has confirmed it; that asks for the overflow.
        arguments |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
        arguments |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": spec.dead_letter_queue}
    return await channel.declare_queue(spec.name, durable=True, arguments=arguments)


async def declare_inbox(channel: AbstractChannel) -> AbstractQueue:
    """A queue for the answers to this connection's calls.

    A new name each time: RabbitMQ may not have noticed yet that the last connection, which owns the old one, is gone.
    """
    return await channel.declare_queue(f"rpc.reply.{uuid4().hex}", exclusive=True, auto_delete=True)


async def declare_subscription(channel: AbstractChannel, topic: str) -> AbstractQueue:
    """A queue for this connection's copy of what is broadcast to a topic."""
    queue = await channel.declare_queue(f"topic.{topic}.{uuid4().hex}", exclusive=True, auto_delete=True)
    await queue.bind(await declare_topic_exchange(channel), topic)
    return queue


async def declare_served(channel: AbstractChannel, name: str, *, exclusive: bool) -> AbstractQueue:
    """A queue for calls, which goes with the last that serves it, so that callers learn at once that nobody does."""
    if exclusive:
        return await channel.declare_queue(name, exclusive=True, auto_delete=True)
    # Durable, as RabbitMQ 4 gives up queues that are neither durable nor exclusive.
    return await channel.declare_queue(name, durable=True, auto_delete=True, arguments={"x-expires": ABANDONED_MS})
