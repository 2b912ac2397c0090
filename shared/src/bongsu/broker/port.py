"""What the services need of a message broker: durable queues, calls with a deadline, and fan-out.

Two adapters fulfil it, `bongsu.broker.rabbitmq` and `bongsu.broker.memory`; one test suite runs over both. Messages
are delivered **at least once** and in no promised order: what a consumer does must bear repeating.
"""

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
    """What is sent and received.

    `body` must be JSON (no NaN, no lone surrogates). `id` is the sender's, for logs and to recognise a repetition.
    `expires_in_s` counts from the publish; what is not delivered by then is dropped, or goes to the dead-letter queue
    if its queue has one. `user_id` is the broker's user that sent it, which RabbitMQ verifies when it is given.
    """

    body: JsonObject
    id: str = field(default_factory=lambda: str(uuid4()))
    headers: dict[str, str] = field(default_factory=dict)
    expires_in_s: float | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A durable queue (quorum, on RabbitMQ).

    A message is delivered at most `delivery_limit` + 1 times: each rejection with requeue and each loss of its
    consumer counts. After that, and when rejected without requeue, it moves to `<name>.dead`, or is dropped if
    `dead_letter` is false.
    """

    name: str
    delivery_limit: int = DEFAULT_DELIVERY_LIMIT
    dead_letter: bool = True

    @property
    def dead_letter_queue(self) -> str | None:
        """Where dead letters go, if anywhere."""
        return dead_letter_queue(self.name) if self.dead_letter else None


def dead_letter_queue(queue: str) -> str:
    """The name of a queue's dead-letter queue."""
    return f"{queue}.dead"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that its queue gave up on. `message` is None if the body is no JSON object; `raw` always holds it."""

    id: str
    queue: str
    reason: DeadLetterReason
    died_at: datetime | None
    message: Message | None
    raw: bytes


class Delivery(Protocol):
    """A message in the hands of a handler, which settles it once, by `ack` or by `reject`.

    Settling twice raises RuntimeError. Settling after its connection was lost does nothing: the broker delivers the
    message again, and that a call returned proves nothing.
    """

    @property
    def message(self) -> Message:
        """What was sent."""

    @property
    def delivery_count(self) -> int:
        """How many times this message was delivered before and not acknowledged: 0 the first time."""

    @property
    def queue(self) -> str:
        """Where it came from."""

    @property
    def settled(self) -> bool:
        """Whether it was acknowledged or rejected."""

    @property
    def lost(self) -> bool:
        """Whether its connection went away, so that settling it has no effect."""

    async def ack(self) -> None:
        """Done: the broker forgets the message."""

    async def reject(self, *, requeue: bool) -> None:
        """Deliver it again (which spends its delivery limit), or give it up as a dead letter."""


BatchHandler = Callable[[list[Delivery]], Awaitable[None]]
"""Gets 1 to `batch_max` deliveries and settles each. Those it left unsettled when it raises are requeued; those left
unsettled when it returns stay with the consumer, and count against its prefetch, until they are settled."""

RpcHandler = Callable[[Message], Awaitable[JsonObject]]
"""Answers a call. It raises `RpcError` or a `ServiceError` to answer with a code and a detail; any other exception
reaches the caller as code `internal`, without its text."""

TopicHandler = Callable[[Message], Awaitable[None]]
"""Gets one message at a time, in order. One that it raises on is logged and not delivered again."""


class Consumer(Protocol):
    """A running subscription to a queue. It survives reconnects."""

    @property
    def running(self) -> bool:
        """Whether the broker is delivering to it now: False while disconnected or cancelled."""

    async def cancel(self, *, drain_s: float | None = None) -> None:
        """Stop for good: no new deliveries, wait for running handlers (at most `drain_s`, then they are cancelled).

        What was not settled is delivered to another consumer. Idempotent; a handler that calls it is not waited for.
        """


class Broker(Protocol):
    """A connection to the broker. All methods are safe to call from many tasks at once."""

    async def connect(self, *, required: bool = True) -> None:
        """Connect, and stay connected: a lost connection is restored with its consumers and subscriptions.

        With `required` false, a broker that cannot be reached is not an error: it is tried for in the background.

        :raises BrokerUnavailable: when required and not reachable, naming the address.
        :raises AccessRefused: when required and the credentials are refused.
        """

    async def close(self, *, drain_s: float = 3.0) -> None:
        """Cancel the consumers, let their handlers finish (at most `drain_s`), then disconnect. Idempotent."""

    @property
    def connected(self) -> bool:
        """Whether publishing and consuming can work now."""

    async def declare(self, *queues: QueueSpec) -> None:
        """Make sure that the queues and their dead-letter queues exist, now and after each reconnect.

        :raises QueueMismatch: one exists with other arguments.
        :raises BrokerUnavailable: not connected; the queues are declared on connecting.
        """

    async def publish(self, queue: str, message: Message, *, timeout_s: float = 5.0) -> None:
        """Store a message in a queue: persistent, and confirmed by the broker when this returns.

        :raises Unroutable: no such queue.
        :raises InvalidMessage: it cannot be sent as it is.
        :raises NotConfirmed: refused by the broker.
        :raises BrokerUnavailable: at once while disconnected; after `timeout_s` without a confirm.
        """

    async def publish_many(
        self, items: Sequence[tuple[str, Message]], *, timeout_s: float = 5.0
    ) -> list[PublishError | None]:
        """Publish many at once, without waiting for one confirm before sending the next.

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

        At most `prefetch` messages are unsettled at any time. Deliveries are collected up to `batch_max`, for at most
        `batch_wait_s` from the first. Up to `concurrency` handlers run side by side (default: as many as prefetch
        allows); with 1 they run in order.

        :raises QueueMissing, QueueMismatch, AccessRefused: on the first attempt, if connected.
        :raises ValueError: `batch_max` exceeds `prefetch`.
        """

    async def depth(self, queue: str) -> int:
        """The number of messages ready to be delivered (not those that consumers hold).

        :raises QueueMissing: no such queue.
        :raises BrokerUnavailable: not connected.
        """

    async def dead_letters(self, queue: str, *, limit: int = 100) -> list[DeadLetter]:
        """The oldest dead letters of a queue, which stay where they are. Two lists at a time may each see a part.

        :raises QueueMissing: it has no dead-letter queue.
        """

    async def redrive(self, queue: str, *, limit: int | None = None, ids: Collection[str] | None = None) -> int:
        """Move dead letters back to their queue, as new messages: all, the oldest `limit`, or those with these ids.

        :returns: how many were moved. One that dies again meanwhile is not moved twice.
        :raises QueueMissing: it has no dead-letter queue.
        :raises PublishError: the queue did not take one; the rest stay dead letters.
        """

    async def call(self, queue: str, message: Message, *, deadline_s: float) -> JsonObject:
        """Send a request and wait for its answer. The server does not start on it after the deadline.

        :raises Unroutable: at once, if nobody serves the queue.
        :raises RpcTimeout: no answer in time.
        :raises RpcError: the server answered with an error.
        :raises BrokerUnavailable: not connected, or the connection was lost while waiting.
        """

    async def serve(self, queue: str, handler: RpcHandler, *, prefetch: int = 16, exclusive: bool = False) -> Consumer:
        """Answer the calls to a queue, which exists as long as somebody serves it.

        Several may serve one queue, unless `exclusive`. A request is taken from the queue before it is run, so it
        runs at most once, and is stopped at its deadline; `prefetch` bounds how many run at a time.

        :raises QueueInUse: another connection serves it exclusively.
        """

    async def broadcast(self, topic: str, message: Message, *, timeout_s: float = 5.0) -> None:
        """Send to everyone that is subscribed to the topic now; nobody may be.

        :raises BrokerUnavailable, InvalidMessage: as for `publish`.
        """

    async def subscribe(self, topic: str, handler: TopicHandler) -> Consumer:
        """Get each message that is broadcast to a topic. What is sent while disconnected is missed."""
