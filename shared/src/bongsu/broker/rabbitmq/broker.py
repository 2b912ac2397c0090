"""The port, on RabbitMQ."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial

from aio_pika.abc import AbstractChannel

from bongsu.broker.batching import BatchRunner
from bongsu.broker.errors import BrokerError, BrokerUnavailable, PublishError
from bongsu.broker.port import BatchHandler, DeadLetter, JsonObject, Message, QueueSpec, RpcHandler, TopicHandler
from bongsu.broker.rabbitmq.channels import ReopeningChannel
from bongsu.broker.rabbitmq.consumer import RabbitConsumer
from bongsu.broker.rabbitmq.dead_letters import DeadLetters
from bongsu.broker.rabbitmq.link import Link
from bongsu.broker.rabbitmq.publishing import Publisher
from bongsu.broker.rabbitmq.session import Source
from bongsu.broker.rabbitmq.topology import Topology, declare, declare_inbox, declare_served, declare_subscription
from bongsu.broker.rpc import INBOX_PREFETCH, RpcClient, answer_calls
from bongsu.broker.topics import SUBSCRIBER_PREFETCH, handle_in_order
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

OnFatal = Callable[[BrokerError], None]


class RabbitBroker:
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
        self._consumers: list[RabbitConsumer] = []
        # Calls do not outlast a restart of the broker: storing them on disk would only delay them.
        self._publish_volatile = partial(self._publisher.publish, persistent=False)
        self._rpc_client = RpcClient(self._publish_volatile, self._open_inbox)
        self._inbox: RabbitConsumer | None = None
        self._inbox_opening = asyncio.Lock()
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

    async def close(self, *, drain_s: float = 3.0) -> None:
        """As `Broker.close`."""
        await asyncio.gather(*(consumer.cancel(drain_s=drain_s) for consumer in [*self._consumers]))
        self._inbox = None
        self._rpc_client.fail_all("The broker is closed")
        await self._disconnect()

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

    async def consume(  # noqa: PLR0913 - the port's
        self,
        queue: str,
        handler: BatchHandler,
        *,
        prefetch: int,
        batch_max: int = 1,
        batch_wait_s: float = 0.005,
        concurrency: int | None = None,
    ) -> RabbitConsumer:
        """As `Broker.consume`."""
        if batch_max > prefetch:
            raise ValueError(f"A batch of {batch_max} cannot fill with a prefetch of {prefetch}")
        runner = BatchRunner(queue, handler, batch_max=batch_max, batch_wait_s=batch_wait_s, concurrency=concurrency)
        return await self._start(Source(queue, partial(self._topology.find, name=queue), prefetch), runner)

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

    async def call(self, queue: str, message: Message, *, deadline_s: float) -> JsonObject:
        """As `Broker.call`."""
        return await self._rpc_client.call(queue, message, deadline_s=deadline_s)

    async def serve(
        self, queue: str, handler: RpcHandler, *, prefetch: int = 16, exclusive: bool = False
    ) -> RabbitConsumer:
        """As `Broker.serve`."""
        runner = BatchRunner(
            queue, answer_calls(handler, self._publish_volatile), batch_max=1, batch_wait_s=0, concurrency=prefetch
        )
        place = partial(declare_served, name=queue, exclusive=exclusive)
        return await self._start(Source(queue, place, prefetch), runner)

    async def broadcast(self, topic: str, message: Message, *, timeout_s: float = 5.0) -> None:
        """As `Broker.broadcast`."""
        await self._publisher.broadcast(topic, message, timeout_s=timeout_s)

    async def subscribe(self, topic: str, handler: TopicHandler) -> RabbitConsumer:
        """As `Broker.subscribe`."""
        runner = BatchRunner(topic, handle_in_order(topic, handler), batch_max=1, batch_wait_s=0, concurrency=1)
        place = partial(declare_subscription, topic=topic)
        return await self._start(Source(topic, place, SUBSCRIBER_PREFETCH), runner)

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

    async def _start(self, source: Source, runner: BatchRunner) -> RabbitConsumer:
        consumer = RabbitConsumer(self._consuming, source, runner, self, probe_every_s=self._probe_every_s)
        self._consumers.append(consumer)
        await consumer.wait_started()
        return consumer

    async def _open_inbox(self) -> str:
        self._consuming.connection  # noqa: B018 - raises when disconnected
        async with self._inbox_opening:
            if self._inbox is None:
                runner = BatchRunner("inbox", self._rpc_client.receive, batch_max=1, batch_wait_s=0, concurrency=None)
                self._inbox = await self._start(Source("inbox", declare_inbox, INBOX_PREFETCH), runner)
        address = self._inbox.address
        if address is None:
            raise BrokerUnavailable("The inbox for answers is not open yet")
        return address

    async def _disconnect(self) -> None:
        await asyncio.gather(self._consuming.close(), self._publishing.close())
