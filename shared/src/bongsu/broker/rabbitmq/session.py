"""One channel with one consumer on it. It ends with its channel, or when RabbitMQ cancels the consumer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from bongsu.broker.base import Source
from bongsu.broker.batching import BatchRunner
from bongsu.broker.encoding import decode_body
from bongsu.broker.errors import BrokerError
from bongsu.broker.port import Delivery, JsonObject, Message
from bongsu.broker.rabbitmq.channels import OPERATION_TIMEOUT_S, close_quietly, open_channel
from bongsu.broker.rabbitmq.failures import time_limit, translate_errors
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

STOP_TIMEOUT_S = 2.0

Place = Callable[[AbstractChannel], Awaitable[AbstractQueue]]


class RabbitDelivery(Delivery):
    """A delivery on a session's channel. Its tag is valid on that channel only."""

    __slots__ = ("_incoming", "_session")

    def __init__(
        self, session: "ConsumerSession", incoming: AbstractIncomingMessage, message: Message, queue: str
    ) -> None:
        super().__init__(queue, message, delivery_count(incoming))
        self._session = session
        self._incoming = incoming

    @property
    def lost(self) -> bool:
        """Whether its channel is closed."""
        return self._session.ended.is_set()

    async def _send_ack(self) -> None:
        with suppress(BrokerError), translate_errors(self.queue):  # lost: RabbitMQ delivers it again
            await self._incoming.ack()

    async def _send_reject(self, *, requeue: bool) -> None:
        with suppress(BrokerError), translate_errors(self.queue):  # as above
            # Never nack: RabbitMQ 4 does not count it to the delivery limit, and would redeliver for ever.
            await self._incoming.reject(requeue=requeue)


class ConsumerSession:
    """Made by `open`. When `ended` is set, nothing more is delivered, and what is unsettled is lost."""

    def __init__(
        self, source: Source[Place], channel: AbstractChannel, queue: AbstractQueue, runner: BatchRunner
    ) -> None:
        self.ended = asyncio.Event()
        self.consuming = False
        self._source = source
        self._channel = channel
        self._queue = queue
        self._runner = runner
        self._tag: str | None = None

    @classmethod
    async def open(
        cls, connection: AbstractConnection, source: Source[Place], runner: BatchRunner
    ) -> "ConsumerSession":
        """Open a channel and find or declare the queue; `start` then consumes it."""

        async def prepare(channel: AbstractChannel) -> tuple[AbstractQueue, aiormq.abc.AbstractChannel]:
            # Per consumer: quorum queues refuse a prefetch for the channel.
            await channel.set_qos(prefetch_count=source.prefetch, global_=False)
            return await source.place(channel), await channel.get_underlay_channel()

        channel, (queue, underlay) = await open_channel(connection, source.name, prepare)
        session = cls(source, channel, queue, runner)
        channel.close_callbacks.add(lambda *_: session.end())
        underlay.on_consumer_cancel_callbacks.add(session._cancelled_by_broker)
        if channel.is_closed:
            session.end()
        return session

    @property
    def queue_name(self) -> str:
        """The name of its queue."""
        return self._queue.name

    async def start(self) -> None:
        """Start the deliveries."""
        self.consuming = True
        async with time_limit(self._source.name, OPERATION_TIMEOUT_S):
            self._tag = await self._queue.consume(self._receive)

    async def stop(self) -> None:
        """Stop the deliveries; those that came stay unsettled. A channel that does not answer in time is ended."""
        self.consuming = False
        if self._tag is None or self.ended.is_set():
            return
        try:
            async with time_limit(self._source.name, STOP_TIMEOUT_S):
                await self._queue.cancel(self._tag)
        except BrokerError:
            self.end()

    async def probe(self) -> None:
        """End if RabbitMQ has no consumer although there should be one."""
        if not self.consuming:
            return
        async with time_limit(self._source.name, OPERATION_TIMEOUT_S):
            found = await self._channel.declare_queue(self._queue.name, passive=True)
        if found.declaration_result.consumer_count == 0:
            log.error("consumer.vanished", queue=self._source.name)
            self.end()

    def end(self) -> None:
        """Mark the session as ended, and its unsettled deliveries as lost. Idempotent."""
        self.consuming = False
        self.ended.set()

    async def close(self) -> None:
        """Close the channel: unsettled messages return to the queue."""
        self.end()
        await close_quietly(self._channel)

    def _cancelled_by_broker(self, _frame: aiormq.spec.Basic.Cancel) -> None:
        log.warning("consumer.cancelled_by_broker", queue=self._source.name)
        self.end()

    async def _receive(self, incoming: AbstractIncomingMessage) -> None:
        if self.ended.is_set():
            return
        body = decode_body(incoming.body)
        delivery = RabbitDelivery(self, incoming, received_message(incoming, body or {}), self._queue.name)
        if body is None:
            log.warning("consumer.body_malformed", queue=self._source.name, message_id=incoming.message_id)
            await delivery.reject(requeue=False)
        else:
            self._runner.offer(delivery)


def delivery_count(incoming: AbstractIncomingMessage) -> int:
    """How often a message was delivered before. Quorum queues count; others only tell whether it was."""
    counted = incoming.headers.get("x-delivery-count")
    return counted if isinstance(counted, int) else int(bool(incoming.redelivered))


def received_message(incoming: AbstractIncomingMessage, body: JsonObject) -> Message:
    """The message as it was sent, without the headers that RabbitMQ added."""
    headers = {
        name: value for name, value in incoming.headers.items() if isinstance(value, str) and not name.startswith("x-")
    }
    expires_in_s = incoming.expiration
    return Message(
        body=body,
        id=incoming.message_id or "",
        headers=headers,
        expires_in_s=expires_in_s if isinstance(expires_in_s, (int, float)) else None,
        user_id=incoming.user_id,
    )
