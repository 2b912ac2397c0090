"""The state of a server: queues with messages, and subscriptions. For one event loop."""

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from bongsu.broker.encoding import decode_body
from bongsu.broker.errors import QueueInUse, QueueMismatch, QueueMissing
from bongsu.broker.port import DeadLetterReason, Message, QueueSpec


@dataclass(slots=True)
class StoredMessage:
    """A message in a queue. `expires_at` is on the event loop's clock."""

    id: str
    raw: bytes
    headers: dict[str, str]
    expires_in_s: float | None
    user_id: str | None
    expires_at: float | None = None
    delivery_count: int = 0
    died: tuple[DeadLetterReason, datetime] | None = None

    def fresh(self) -> "StoredMessage":
        """A copy, as if published now."""
        expires_at = None
        if self.expires_in_s is not None:
            expires_at = asyncio.get_running_loop().time() + self.expires_in_s
        return replace(self, expires_at=expires_at, delivery_count=0, died=None)

    def decode(self) -> Message | None:
        """The message as it was sent; None if the body is not a JSON object."""
        body = decode_body(self.raw)
        if body is None:
            return None
        return Message(
            body=body, id=self.id, headers=dict(self.headers), expires_in_s=self.expires_in_s, user_id=self.user_id
        )


class QueueConsumer(Protocol):
    """A consumer, as its queue sees it."""

    @property
    def has_credit(self) -> bool:
        """Whether it takes another message now."""

    def take(self, stored: StoredMessage) -> None:
        """Take a message."""

    def attach_when_possible(self) -> None:
        """Take from its queue, which was declared."""

    def queue_deleted(self) -> None:
        """Its queue is gone."""


class MemoryQueue:
    """The messages that are ready, and the consumers that take them in turn."""

    def __init__(self, hub: "MemoryHub", spec: QueueSpec, *, temporary: bool = False, exclusive: bool = False) -> None:
        self.spec = spec
        self.temporary = temporary
        self.exclusive = exclusive
        self.ready: deque[StoredMessage] = deque()
        self.consumers: deque[QueueConsumer] = deque()
        self._hub = hub
        self._dispatch_due = False

    def put(self, stored: StoredMessage, *, front: bool = False) -> None:
        """Add a message, and deliver it soon."""
        if front:
            self.ready.appendleft(stored)
        else:
            self.ready.append(stored)
        self.dispatch_soon()

    def dispatch_soon(self) -> None:
        """Deliver ready messages once the running task yields."""
        if not self._dispatch_due:
            self._dispatch_due = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def requeue(self, stored: StoredMessage) -> None:
        """Deliver an unacknowledged message again, unless it has reached its delivery limit."""
        stored.delivery_count += 1
        if not self.temporary and stored.delivery_count > self.spec.delivery_limit:
            self.dead_letter(stored, "delivery_limit")
        else:
            self.put(stored, front=True)

    def dead_letter(self, stored: StoredMessage, reason: DeadLetterReason) -> None:
        """Move a message to the dead-letter queue, or drop it if the queue has no dead letters."""
        target = self._hub.queues.get(self.spec.dead_letter_queue or "")
        if target is not None:
            stored.died = (reason, datetime.now(UTC))
            stored.expires_at = None
            target.put(stored)

    def expire(self) -> None:
        """Dead-letter expired messages at the head; those behind an unexpired message wait, as on RabbitMQ."""
        now = asyncio.get_running_loop().time()
        while self.ready and (at := self.ready[0].expires_at) is not None and at <= now:
            self.dead_letter(self.ready.popleft(), "expired")

    def _dispatch(self) -> None:
        self._dispatch_due = False
        self.expire()
        while self.ready:
            consumer = self._next_consumer()
            if consumer is None:
                return
            consumer.take(self.ready.popleft())
            self.expire()

    def _next_consumer(self) -> QueueConsumer | None:
        for _ in range(len(self.consumers)):
            self.consumers.rotate(-1)
            if self.consumers[-1].has_credit:
                return self.consumers[-1]
        return None


class MemoryHub:
    """The server. Clients that share one see the same queues."""

    def __init__(self) -> None:
        self.queues: dict[str, MemoryQueue] = {}
        self.bindings: dict[str, set[str]] = {}
        self._waiting: dict[str, list[QueueConsumer]] = {}

    def declare(self, spec: QueueSpec) -> None:
        """Create the queue and its dead-letter queue, or check that the queue is the same."""
        existing = self.queues.get(spec.name)
        if existing is None:
            self.queues[spec.name] = MemoryQueue(self, spec)
            for consumer in self._waiting.pop(spec.name, []):
                consumer.attach_when_possible()
        elif existing.temporary or existing.spec != spec:
            raise QueueMismatch(spec.name, f"it is {existing.spec}")
        if spec.dead_letter_queue is not None and spec.dead_letter_queue not in self.queues:
            # Its messages are never rejected, so its limit is never reached.
            self.queues[spec.dead_letter_queue] = MemoryQueue(
                self, QueueSpec(spec.dead_letter_queue, dead_letter=False)
            )

    def declare_temporary(self, name: str, *, exclusive: bool) -> MemoryQueue:
        """Create a queue that exists while it has consumers."""
        queue = self.queues.get(name)
        if queue is None:
            spec = QueueSpec(name, dead_letter=False)
            queue = self.queues[name] = MemoryQueue(self, spec, temporary=True, exclusive=exclusive)
        elif exclusive or queue.exclusive:
            raise QueueInUse(name)
        return queue

    def delete(self, name: str) -> None:
        """Delete a queue with its messages."""
        queue = self.queues.pop(name, None)
        for bound in self.bindings.values():
            bound.discard(name)
        if queue is not None:
            for consumer in [*queue.consumers]:
                consumer.queue_deleted()

    def wait_for(self, name: str, consumer: QueueConsumer) -> None:
        """Notify a consumer when a queue of that name is declared."""
        self._waiting.setdefault(name, []).append(consumer)

    def stop_waiting(self, name: str, consumer: QueueConsumer) -> None:
        """Undo `wait_for`."""
        waiting = self._waiting.get(name, [])
        if consumer in waiting:
            waiting.remove(consumer)

    def find(self, name: str) -> MemoryQueue:
        """The queue of that name.

        :raises QueueMissing: it does not exist.
        """
        queue = self.queues.get(name)
        if queue is None:
            raise QueueMissing(name)
        queue.expire()
        return queue
