"""The port, on RabbitMQ."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial

from aio_pika.abc import AbstractChannel

from bongsu.broker.base import BaseBroker, Source
from bongsu.broker.batching import BatchRunner
from bongsu.broker.errors import BrokerError, BrokerUnavailable, PublishError
from bongsu.broker.port import DeadLetter, Message, QueueSpec
from bongsu.broker.rabbitmq.channels import ReopeningChannel
from bongsu.broker.rabbitmq.consumer import RabbitConsumer
from bongsu.broker.rabbitmq.dead_letters import DeadLetters
from bongsu.broker.rabbitmq.link import Link
from bongsu.broker.rabbitmq.publishing import Publisher
from bongsu.broker.rabbitmq.session import Place
from bongsu.broker.rabbitmq.topology import Topology, declare, declare_inbox, declare_served, declare_subscription
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

OnFatal = Callable[[BrokerError], None]


class RabbitBroker(BaseBroker[Place, RabbitConsumer]):
    """Implements `port.Broker`, with one connection to publish on and one to consume on.

    RabbitMQ blocks a connection that publishes when it runs short of memory or disk; acknowledgements still pass on
    the other one.

    :param retry_s: the first and the longest pause between attempts to connect.
    :param connect_timeout_s: for one attempt, with its handshake.
    :param on_fatal: called when a consumer fails for `fatal_after_s` although RabbitMQ answers: its queue has other
        arguments, or access is refused. The process should then end with that error, and be restarted.
    :param probe_every_s: the pause between two checks that RabbitMQ still knows a consumer.
    :raises ValueError: the URL is not amqp:// or amqps:// with a host.
    """

    def __init__(  # noqa: PLR0913 - each is one limit
        self,
        url: str,
        *,
        retry_s: tuple[float, float] = (0.2, 5.0),
        connect_timeout_s: float = 5.0,
        on_fatal: OnFatal | None = None,
        fatal_after_s: float = 60.0,
        probe_every_s: float = 15.0,
    ) -> None:
        self._probe_every_s = probe_every_s
        # They log a lost connection with tracebacks; `Link` logs one line.
        for library in ("aiormq", "aio_pika"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self._topology = Topology(self._queue_refused)
        self._publishing = Link(url, "publish", self._topology.restore, retry_s=retry_s, timeout_s=connect_timeout_s)
        self._consuming = Link(url, "consume", self._topology.restore, retry_s=retry_s, timeout_s=connect_timeout_s)
        self._publisher = Publisher(self._publishing, url)
        self._control = ReopeningChannel(self._publishing)
        self._dead_letters = DeadLetters(self._publishing, self._publisher)
        # Calls do not outlast a restart of the broker: storing them on disk would only delay them.
        super().__init__(partial(self._publisher.publish, persistent=False))
        self._on_fatal = on_fatal
        self._fatal_after_s = fatal_after_s

    async def connect(self, *, required: bool = True) -> None:
        """As `Broker.connect`."""
        try:
            await self._publishing.start(required=required)
            await self._consuming.start(required=required)
        except BrokerError:
            await self._disconnect()
            raise

    @property
    def connected(self) -> bool:
        """Whether both connections are up."""
        return self._publishing.up and self._consuming.up

    async def declare(self, *queues: QueueSpec) -> None:
        """As `Broker.declare`."""
        for spec in queues:
            try:
                await self._control.run(spec.name, partial(declare, spec=spec))
            except BrokerUnavailable:
                self._topology.remember(*queues)
                raise
            self._topology.remember(spec)

    async def publish(self, queue: str, message: Message, *, timeout_s: float = 5.0) -> None:
        """As `Broker.publish`."""
        await self._publisher.publish(queue, message, timeout_s=timeout_s)

    async def publish_many(
        self, items: Sequence[tuple[str, Message]], *, timeout_s: float = 5.0
    ) -> list[PublishError | None]:
        """As `Broker.publish_many`."""
        return await self._publisher.publish_many(items, timeout_s=timeout_s)

    async def depth(self, queue: str) -> int:
        """As `Broker.depth`."""

        async def count(channel: AbstractChannel) -> int:
            found = await channel.declare_queue(queue, passive=True)
            return found.declaration_result.message_count or 0

        return await self._control.run(queue, count)

    async def dead_letters(self, queue: str, *, limit: int = 100) -> list[DeadLetter]:
        """As `Broker.dead_letters`."""
        return await self._dead_letters.list(queue, limit)

    async def redrive(self, queue: str, *, limit: int | None = None, ids: Collection[str] | None = None) -> int:
        """As `Broker.redrive`."""
        return await self._dead_letters.redrive(queue, limit, ids)

    async def broadcast(self, topic: str, message: Message, *, timeout_s: float = 5.0) -> None:
        """As `Broker.broadcast`."""
        await self._publisher.broadcast(topic, message, timeout_s=timeout_s)

    def consumer_lost(self, consumer: RabbitConsumer) -> None:
        """Fail the calls in flight if their inbox is gone."""
        if consumer is self._inbox:
            self._rpc_client.fail_all("The connection to the broker was lost")

    def consumer_failing(self, consumer: RabbitConsumer, error: BrokerError, failing_s: float) -> None:
        """Report a consumer that has failed for too long."""
        if failing_s >= self._fatal_after_s and self._on_fatal is not None:
            log.error("consumer.abandoned", queue=consumer.name, reason=str(error))
            self._on_fatal(error)

    def consumer_closed(self, consumer: RabbitConsumer) -> None:
        """Forget a cancelled consumer."""
        self._consumers.remove(consumer)

    def _queue_refused(self, error: BrokerError) -> None:
        log.error("broker.queue_refused", reason=str(error))
        if self._on_fatal is not None:
            self._on_fatal(error)

    def _require_connected(self) -> None:
        self._consuming.connection  # noqa: B018 - raises when disconnected

    async def _start(self, source: Source[Place], runner: BatchRunner) -> RabbitConsumer:
        consumer = RabbitConsumer(self._consuming, source, runner, self, probe_every_s=self._probe_every_s)
        self._consumers.append(consumer)
        await consumer.wait_started()
        return consumer

    def _queue(self, name: str) -> Place:
        return partial(self._topology.find, name=name)

    def _served_queue(self, name: str, *, exclusive: bool) -> Place:
        return partial(declare_served, name=name, exclusive=exclusive)

    def _subscription(self, topic: str) -> Place:
        return partial(declare_subscription, topic=topic)

    def _answers(self) -> Place:
        return declare_inbox

    async def _disconnect(self) -> None:
        await asyncio.gather(self._consuming.close(), self._publishing.close())
