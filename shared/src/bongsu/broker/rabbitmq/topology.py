"""Declares the queues and exchanges on RabbitMQ."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from pamqp.common import FieldValue

from bongsu.broker.errors import AccessRefused, BrokerError, QueueMismatch
from bongsu.broker.port import QueueSpec
from bongsu.broker.rabbitmq.channels import close_quietly, open_channel
from bongsu.broker.rabbitmq.publishing import declare_topic_exchange

DEAD_LETTER_DELIVERY_LIMIT = 1_000_000
"""Listing a dead letter returns it, which counts; RabbitMQ 4 would delete it by default when it is listed 21 times."""

ABANDONED_MS = 60_000
"""When RabbitMQ, after a restart, deletes a queue for calls that no consumer serves again."""


class Topology:
    """The queues that this process has declared, to declare them again on a new connection."""

    def __init__(self, on_refused: Callable[[BrokerError], None]) -> None:
        self.specs: dict[str, QueueSpec] = {}
        self._on_refused = on_refused

    def remember(self, *specs: QueueSpec) -> None:
        """Declare these on each new connection."""
        self.specs.update({spec.name: spec for spec in specs})

    async def restore(self, connection: AbstractConnection) -> None:
        """Declare all queues on a new connection: the broker may have lost its disk."""
        for spec in [*self.specs.values()]:
            try:
                channel, _ = await open_channel(connection, spec.name, partial(declare, spec=spec))
                await close_quietly(channel)
            except (QueueMismatch, AccessRefused) as error:
                self._on_refused(error)

    async def find(self, channel: AbstractChannel, name: str) -> AbstractQueue:
        """Find a queue to consume, and declare it if this process has declared it before."""
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
        # The message leaves its queue only after the dead-letter queue confirmed it, which requires this overflow.
        arguments |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
        arguments |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": spec.dead_letter_queue}
    return await channel.declare_queue(spec.name, durable=True, arguments=arguments)


async def declare_inbox(channel: AbstractChannel) -> AbstractQueue:
    """Declare a queue for the answers to this connection's calls.

    Its name is new each time: RabbitMQ may still keep the last one for a connection whose loss it has not noticed.
    """
    return await channel.declare_queue(f"rpc.reply.{uuid4().hex}", exclusive=True, auto_delete=True)


async def declare_subscription(channel: AbstractChannel, topic: str) -> AbstractQueue:
    """Declare a queue for this connection's copies of the messages of a topic."""
    queue = await channel.declare_queue(f"topic.{topic}.{uuid4().hex}", exclusive=True, auto_delete=True)
    await queue.bind(await declare_topic_exchange(channel), topic)
    return queue


async def declare_served(channel: AbstractChannel, name: str, *, exclusive: bool) -> AbstractQueue:
    """Declare a queue for calls, deleted with its last consumer, so that calls fail immediately when none serves it."""
    if exclusive:
        return await channel.declare_queue(name, exclusive=True, auto_delete=True)
    # Durable, as RabbitMQ 4 deprecates queues that are neither durable nor exclusive.
    return await channel.declare_queue(name, durable=True, auto_delete=True, arguments={"x-expires": ABANDONED_MS})
