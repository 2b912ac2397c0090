"""The port, within the process."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from uuid import uuid4

from bongsu.broker.batching import BatchRunner
from bongsu.broker.encoding import encode_message
from bongsu.broker.errors import BrokerUnavailable, PublishError, QueueMissing, Unroutable
from bongsu.broker.memory.consumer import MemoryConsumer
from bongsu.broker.memory.hub import MemoryHub, MemoryQueue, StoredMessage
from bongsu.broker.port import (
    BatchHandler,
    DeadLetter,
    JsonObject,
    Message,
    QueueSpec,
    RpcHandler,
    TopicHandler,
    dead_letter_queue,
)
from bongsu.broker.rpc import INBOX_PREFETCH, RpcClient, answer_calls
from bongsu.broker.topics import SUBSCRIBER_PREFETCH, handle_in_order

PUBLISHES_A_SLICE = 50
"""How many messages of one `publish_many` are stored before other tasks run."""


class MemoryBroker:
    """A client of a `MemoryHub` (by default one of its own). Implements `port.Broker`."""

    def __init__(self, hub: MemoryHub | None = None) -> None:
        self.hub = hub or MemoryHub()
        self._connected = False
        self._undeclared: list[QueueSpec] = []
        self._consumers: list[MemoryConsumer] = []
        self._rpc_client = RpcClient(self.publish, self._open_inbox)
        self._inbox: MemoryConsumer | None = None

    async def connect(self, *, required: bool = True) -> None:  # noqa: ARG002 - the port's; a process always reaches itself
        """Connect, declare what was declared before, and start the consumers that were made before."""
        self._restore()

    async def close(self, *, drain_s: float = 3.0) -> None:
        """As `Broker.close`."""
        await asyncio.gather(*(consumer.cancel(drain_s=drain_s) for consumer in [*self._consumers]))
        self._connected = False
        self._inbox = None
        self._rpc_client.fail_all("The broker is closed")

    @property
    def connected(self) -> bool:
        """Whether `connect` was called, and `close` was not since."""
        return self._connected

    async def declare(self, *queues: QueueSpec) -> None:
        """As `Broker.declare`."""
        if not self.connected:
            self._undeclared += queues
        self._require_connected()
        for spec in queues:
            self.hub.declare(spec)

    async def publish(self, queue: str, message: Message, *, timeout_s: float = 5.0) -> None:  # noqa: ARG002 - the port's
        """As `Broker.publish`."""
        self._put(queue, message)
        await asyncio.sleep(0)

    async def publish_many(
        self,
        items: Sequence[tuple[str, Message]],
        *,
        timeout_s: float = 5.0,  # noqa: ARG002 - the port's
    ) -> list[PublishError | None]:
        """As `Broker.publish_many`."""
        results: list[PublishError | None] = []
        for index, (queue, message) in enumerate(items, 1):
            try:
                self._put(queue, message)
                results.append(None)
            except PublishError as error:
                results.append(error)
            if index % PUBLISHES_A_SLICE == 0:
                await asyncio.sleep(0)
        return results

    async def consume(  # noqa: PLR0913 - the port's
        self,
        queue: str,
        handler: BatchHandler,
        *,
        prefetch: int,
        batch_max: int = 1,
        batch_wait_s: float = 0.005,
        concurrency: int | None = None,
    ) -> MemoryConsumer:
        """As `Broker.consume`."""
        if batch_max > prefetch:
            raise ValueError(f"A batch of {batch_max} cannot fill with a prefetch of {prefetch}")
        runner = BatchRunner(queue, handler, batch_max=batch_max, batch_wait_s=batch_wait_s, concurrency=concurrency)
        return self._start(queue, lambda: self.hub.find(queue), runner, prefetch)

    async def depth(self, queue: str) -> int:
        """As `Broker.depth`."""
        return len(self._find(queue).ready)

    async def dead_letters(self, queue: str, *, limit: int = 100) -> list[DeadLetter]:
        """As `Broker.dead_letters`."""
        source = self._find_dead_letter_queue(queue)
        return [_dead_letter(queue, stored) for stored in [*source.ready][:limit]]

    async def redrive(self, queue: str, *, limit: int | None = None, ids: Collection[str] | None = None) -> int:
        """As `Broker.redrive`."""
        source = self._find_dead_letter_queue(queue)
        target = self.hub.queues.get(queue)
        if target is None:
            raise Unroutable(queue)
        chosen = [stored for stored in source.ready if ids is None or stored.id in ids][:limit]
        for stored in chosen:
            source.ready.remove(stored)
            target.put(stored.redriven())
        return len(chosen)

    async def call(self, queue: str, message: Message, *, deadline_s: float) -> JsonObject:
        """As `Broker.call`."""
        return await self._rpc_client.call(queue, message, deadline_s=deadline_s)

    async def serve(
        self, queue: str, handler: RpcHandler, *, prefetch: int = 16, exclusive: bool = False
    ) -> MemoryConsumer:
        """As `Broker.serve`."""
        runner = BatchRunner(
            queue, answer_calls(handler, self.publish), batch_max=1, batch_wait_s=0, concurrency=prefetch
        )
        return self._start(queue, lambda: self.hub.declare_temporary(queue, exclusive=exclusive), runner, prefetch)

    async def broadcast(self, topic: str, message: Message, *, timeout_s: float = 5.0) -> None:  # noqa: ARG002 - the port's
        """As `Broker.broadcast`."""
        self._require_connected()
        stored = _store(topic, message)
        for name in [*self.hub.bindings.get(topic, ())]:
            self.hub.queues[name].put(stored.fresh())
        await asyncio.sleep(0)

    async def subscribe(self, topic: str, handler: TopicHandler) -> MemoryConsumer:
        """As `Broker.subscribe`."""

        def place() -> MemoryQueue:
            queue = self.hub.declare_temporary(f"topic.{topic}.{uuid4().hex}", exclusive=True)
            self.hub.bindings.setdefault(topic, set()).add(queue.spec.name)
            return queue

        runner = BatchRunner(topic, handle_in_order(topic, handler), batch_max=1, batch_wait_s=0, concurrency=1)
        return self._start(topic, place, runner, SUBSCRIBER_PREFETCH)

    def _restore(self) -> None:
        self._connected = True
        while self._undeclared:
            self.hub.declare(self._undeclared.pop())
        for consumer in self._consumers:
            consumer.attach_when_possible()

    def _start(self, name: str, place: Callable[[], MemoryQueue], runner: BatchRunner, prefetch: int) -> MemoryConsumer:
        consumer = MemoryConsumer(self.hub, name, place, runner, prefetch=prefetch, forget=self._consumers.remove)
        if self.connected:
            consumer.attach()
        self._consumers.append(consumer)
        return consumer

    async def _open_inbox(self) -> str:
        self._require_connected()
        if self._inbox is None:
            runner = BatchRunner("inbox", self._rpc_client.receive, batch_max=1, batch_wait_s=0, concurrency=None)
            self._inbox = self._start(
                "inbox",
                lambda: self.hub.declare_temporary(f"rpc.reply.{uuid4().hex}", exclusive=True),
                runner,
                INBOX_PREFETCH,
            )
        address = self._inbox.address
        if address is None:
            raise BrokerUnavailable("The inbox for answers is not open")
        return address

    def _put(self, queue: str, message: Message) -> None:
        self._require_connected()
        stored = _store(queue, message)
        target = self.hub.queues.get(queue)
        if target is None:
            raise Unroutable(queue)
        target.put(stored)

    def _find(self, queue: str) -> MemoryQueue:
        self._require_connected()
        return self.hub.find(queue)

    def _find_dead_letter_queue(self, queue: str) -> MemoryQueue:
        with suppress(QueueMissing):  # dead letters may outlive their queue
            self._find(queue)
        return self._find(dead_letter_queue(queue))

    def _require_connected(self) -> None:
        if not self._connected:
            raise BrokerUnavailable("The broker is not connected")


def _store(destination: str, message: Message) -> StoredMessage:
    return StoredMessage(
        message.id, encode_message(destination, message), dict(message.headers), message.expires_in_s, message.user_id
    ).fresh()


def _dead_letter(queue: str, stored: StoredMessage) -> DeadLetter:
    reason, died_at = stored.died or ("other", None)
    return DeadLetter(stored.id, queue, reason, died_at, stored.decode(), stored.raw)
