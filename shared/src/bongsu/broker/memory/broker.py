"""The port, within the process."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

from bongsu.broker.base import BaseBroker, Source
from bongsu.broker.batching import BatchRunner
from bongsu.broker.encoding import encode_message
from bongsu.broker.errors import BrokerUnavailable, InvalidMessage, PublishError, QueueMissing, Unroutable
from bongsu.broker.memory.consumer import MemoryConsumer, Place
from bongsu.broker.memory.hub import MemoryHub, MemoryQueue, StoredMessage
from bongsu.broker.port import DeadLetter, Message, QueueSpec, dead_letter_queue

PUBLISHES_A_SLICE = 50
"""How many messages of one `publish_many` are stored before other tasks run."""


class MemoryBroker(BaseBroker[Place, MemoryConsumer]):
    """A client of a `MemoryHub` (by default one of its own). Implements `port.Broker`.

    :param user: the user that its messages are sent by.
    """

    def __init__(self, hub: MemoryHub | None = None, *, user: str | None = None) -> None:
        self.hub = hub or MemoryHub()
        self._user = user
        super().__init__(self.publish)
        self._connected = False
        self._undeclared: list[QueueSpec] = []

    async def connect(self, *, required: bool = True) -> None:  # noqa: ARG002 - the port's; a process always reaches itself
        """Connect, declare what was declared before, and start the consumers that were made before."""
        self._restore()

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
            target.put(replace(stored, expires_in_s=None).fresh())
        return len(chosen)

    async def broadcast(self, topic: str, message: Message, *, timeout_s: float = 5.0) -> None:  # noqa: ARG002 - the port's
        """As `Broker.broadcast`."""
        self._require_connected()
        stored = self._store(topic, message)
        for name in [*self.hub.bindings.get(topic, ())]:
            self.hub.queues[name].put(stored.fresh())
        await asyncio.sleep(0)

    def _restore(self) -> None:
        self._connected = True
        while self._undeclared:
            self.hub.declare(self._undeclared.pop())
        for consumer in self._consumers:
            consumer.attach_when_possible()

    async def _disconnect(self) -> None:
        self._connected = False

    async def _start(self, source: Source[Place], runner: BatchRunner) -> MemoryConsumer:
        consumer = MemoryConsumer(self.hub, source, runner, forget=self._consumers.remove)
        if self.connected:
            consumer.attach()
        self._consumers.append(consumer)
        return consumer

    def _queue(self, name: str) -> Place:
        return lambda: self.hub.find(name)

    def _served_queue(self, name: str, *, exclusive: bool) -> Place:
        return lambda: self.hub.declare_temporary(name, exclusive=exclusive)

    def _subscription(self, topic: str) -> Place:
        def place() -> MemoryQueue:
            queue = self.hub.declare_temporary(f"topic.{topic}.{uuid4().hex}", exclusive=True)
            self.hub.bindings.setdefault(topic, set()).add(queue.spec.name)
            return queue

        return place

    def _answers(self) -> Place:
        return lambda: self.hub.declare_temporary(f"rpc.reply.{uuid4().hex}", exclusive=True)

    def _put(self, queue: str, message: Message) -> None:
        self._require_connected()
        stored = self._store(queue, message)
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

    def _store(self, destination: str, message: Message) -> StoredMessage:
        if message.user_id is not None and message.user_id != self._user:
            raise InvalidMessage(f"The message has the user {message.user_id!r}, the connection another")
        raw = encode_message(destination, message)
        return StoredMessage(message.id, raw, dict(message.headers), message.expires_in_s, self._user).fresh()


def _dead_letter(queue: str, stored: StoredMessage) -> DeadLetter:
    reason, died_at = stored.died or ("other", None)
    return DeadLetter(stored.id, queue, reason, died_at, stored.decode(), stored.raw)
