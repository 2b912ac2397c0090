"""The port to a message broker: durable queues, calls with a deadline, and fan-out.

Two adapters implement it, `bongsu.broker.rabbitmq` and `bongsu.broker.memory`; one test suite runs over both. Messages
are delivered **at least once** and in no particular order: consumers must be idempotent.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import uuid4

from pydantic import JsonValue

from bongsu.broker.errors import PublishError

JsonObject = dict[str, JsonValue]
DeadLetterReason = Literal["rejected", "expired", "delivery_limit", "other"]

DEFAULT_DELIVERY_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message, as it is sent and received.

    `body` must be JSON (no NaN, no lone surrogates). `id` is set by the sender, for logs and to detect duplicates.
    `expires_in_s` counts from the publish; a message not delivered by then is dropped, or moves to the dead-letter
    queue if its queue has one. `user_id` is the broker user that sent it: set by the sending adapter and verified by
    RabbitMQ. A sender leaves it out, or gives its own.
    """

    body: JsonObject
    id: str = field(default_factory=lambda: str(uuid4()))
    headers: dict[str, str] = field(default_factory=dict)
    expires_in_s: float | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A durable queue (quorum, on RabbitMQ).

    A message is delivered at most `delivery_limit` + 1 times: each rejection with requeue and each lost consumer
    counts. After that, or rejected without requeue, it moves to `<name>.dead`, or is dropped if `dead_letter` is
    false.
    """

    name: str
    delivery_limit: int = DEFAULT_DELIVERY_LIMIT
    dead_letter: bool = True

    @property
    def dead_letter_queue(self) -> str | None:
        """The name of its dead-letter queue, if it has one."""
        return dead_letter_queue(self.name) if self.dead_letter else None


def dead_letter_queue(queue: str) -> str:
    """The name of a queue's dead-letter queue."""
    return f"{queue}.dead"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in a dead-letter queue. `message` is None if the body is not a JSON object; `raw` always holds it."""

    id: str
    queue: str
    reason: DeadLetterReason
    died_at: datetime | None
    message: Message | None
    raw: bytes


class Delivery(ABC):
    """A message that a handler settles once, by `ack` or by `reject`.

    Settling twice raises RuntimeError. Settling does nothing after the connection was lost, and may be lost itself:
    the broker then delivers the message again. An adapter implements the two messages to the broker.

    :param queue: the queue that it came from.
    :param delivery_count: how often the message was delivered before without being acknowledged: 0 the first time.
    """

    __slots__ = ("_settled", "delivery_count", "message", "queue")

    def __init__(self, queue: str, message: Message, delivery_count: int) -> None:
        self.queue = queue
        self.message = message
        self.delivery_count = delivery_count
        self._settled = False

    @property
    def settled(self) -> bool:
        """Whether it was acknowledged or rejected."""
        return self._settled

    @property
    @abstractmethod
    def lost(self) -> bool:
        """Whether its connection was lost, so that settling it has no effect."""

    async def ack(self) -> None:
        """Acknowledge: the broker deletes the message."""
        self._mark_settled()
        if not self.lost:
            await self._send_ack()

    async def reject(self, *, requeue: bool) -> None:
        """Return it to the queue, which counts to its delivery limit, or make it a dead letter."""
        self._mark_settled()
        if not self.lost:
            await self._send_reject(requeue=requeue)

    def _mark_settled(self) -> None:
        if self._settled:
            raise RuntimeError(f"Message {self.message.id} from {self.queue!r} is settled already")
        self._settled = True

    @abstractmethod
    async def _send_ack(self) -> None: ...

    @abstractmethod
    async def _send_reject(self, *, requeue: bool) -> None: ...


BatchHandler = Callable[[list[Delivery]], Awaitable[None]]
"""Handles 1 to `batch_max` deliveries and settles each. Those unsettled when it raises are requeued; those unsettled
when it returns stay with the consumer, and count against its prefetch, until they are settled."""

RpcHandler = Callable[[Message], Awaitable[JsonObject]]
"""Answers a call. An `RpcError` or `ServiceError` reaches the client as its code and detail, any other exception as the
code `internal` without its text."""

TopicHandler = Callable[[Message], Awaitable[None]]
"""Handles one message at a time, in order. An exception is logged, and the message is not delivered again."""


class Consumer(Protocol):
    """A running subscription to a queue. It survives reconnects."""

    @property
    def running(self) -> bool:
        """Whether the broker delivers to it now: False while disconnected, and after `cancel`."""

    async def cancel(self, *, drain_s: float | None = None) -> None:
        """End the consumer: no new deliveries, then wait for its handlers (after `drain_s` they are cancelled).

        Unsettled messages are delivered to another consumer. Idempotent. A handler may call it, and is not waited for.
        """


class Broker(Protocol):
    """A connection to the broker. Many tasks may call its methods concurrently."""

    async def connect(self, *, required: bool = True) -> None:
        """Connect, and restore a lost connection with its consumers and subscriptions.

        With `required` false, an unreachable broker is no error: connecting goes on in the background.

        :raises BrokerUnavailable: required and unreachable; names the address.
        :raises AccessRefused: required, and the credentials are refused.
        """

    async def close(self, *, drain_s: float = 3.0) -> None:
        """Cancel the consumers, wait for their handlers (at most `drain_s`), then disconnect. Idempotent."""

    @property
    def connected(self) -> bool:
        """Whether publishing and consuming are possible now."""

    async def declare(self, *queues: QueueSpec) -> None:
        """Declare queues with their dead-letter queues, now and after each reconnect.

        :raises QueueMismatch: one exists with other arguments.
        :raises BrokerUnavailable: not connected; the queues are declared once connected.
        """

    async def publish(self, queue: str, message: Message, *, timeout_s: float = 5.0) -> None:
        """Store a message in a queue: persistent, and confirmed by the broker when this returns.

        :raises Unroutable: no such queue.
        :raises InvalidMessage: the message cannot be sent.
        :raises NotConfirmed: the broker refused it.
        :raises BrokerUnavailable: disconnected, or no confirm within `timeout_s`.
        """

    async def publish_many(
        self, items: Sequence[tuple[str, Message]], *, timeout_s: float = 5.0
    ) -> list[PublishError | None]:
        """Publish many messages, without waiting for one confirm before sending the next.

        :returns: for each (queue, message), in order, None or the error that `publish` would have raised.
        """

    async def consume(  # noqa: PLR0913 - each is one knob of a consumer
        self,
        queue: str,
        handler: BatchHandler,
        *,
        prefetch: int,
        batch_max: int = 1,
        batch_wait_s: float = 0.005,
        concurrency: int | None = None,
    ) -> Consumer:
        """Deliver a queue's messages to `handler`.

        At most `prefetch` messages are unsettled at any time. A batch has up to `batch_max` deliveries, collected for
        at most `batch_wait_s` from the first. Up to `concurrency` handlers run concurrently (by default as many as
        `prefetch` allows); with 1 they run in order.

        :raises QueueMissing, QueueMismatch, AccessRefused: connected, and the first attempt failed.
        :raises ValueError: `batch_max` exceeds `prefetch`.
        """

    async def depth(self, queue: str) -> int:
        """Count the messages that are ready to be delivered (not those that consumers hold).

        :raises QueueMissing: no such queue.
        :raises BrokerUnavailable: not connected.
        """

    async def dead_letters(self, queue: str, *, limit: int = 100) -> list[DeadLetter]:
        """List the oldest dead letters of a queue, which stay there. Two concurrent calls may each see a part.

        :raises QueueMissing: it has no dead-letter queue.
        """

    async def redrive(self, queue: str, *, limit: int | None = None, ids: Collection[str] | None = None) -> int:
        """Move dead letters back to their queue as new messages: all, the oldest `limit`, or those with these IDs.

        :returns: how many were moved. A message that becomes a dead letter again meanwhile is not moved twice.
        :raises QueueMissing: it has no dead-letter queue.
        :raises PublishError: the queue refused one; the rest stay dead letters.
        """

    async def call(self, queue: str, message: Message, *, deadline_s: float) -> JsonObject:
        """Send a request and wait for the answer. The server does not start a request after its deadline.

        :raises Unroutable: no consumer serves the queue; raised without waiting.
        :raises RpcTimeout: no answer in time.
        :raises RpcError: the server answered with an error.
        :raises BrokerUnavailable: not connected, or the connection was lost before the answer.
        """

    async def serve(self, queue: str, handler: RpcHandler, *, prefetch: int = 16, exclusive: bool = False) -> Consumer:
        """Answer the calls to a queue, which exists while a consumer serves it.

        Several consumers may serve one queue, unless `exclusive`. A request is acknowledged before it runs, so it
        runs at most once, and is cancelled at its deadline; at most `prefetch` run concurrently.

        :raises QueueInUse: another connection serves it exclusively.
        """

    async def broadcast(self, topic: str, message: Message, *, timeout_s: float = 5.0) -> None:
        """Send a message to the current subscribers of a topic, if there are any.

        :raises BrokerUnavailable, InvalidMessage: as for `publish`.
        """

    async def subscribe(self, topic: str, handler: TopicHandler) -> Consumer:
        """Receive each message that is broadcast to a topic. Messages sent while disconnected are missed."""
