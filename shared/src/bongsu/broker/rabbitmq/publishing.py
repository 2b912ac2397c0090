"""Publishes with confirms."""

import asyncio
from collections.abc import Sequence

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, HeadersType
from yarl import URL

from bongsu.broker.encoding import CONTENT_TYPE, encode_message
from bongsu.broker.errors import InvalidMessage, PublishError
from bongsu.broker.port import Message
from bongsu.broker.rabbitmq.channels import ReopeningChannel
from bongsu.broker.rabbitmq.failures import time_limit
from bongsu.broker.rabbitmq.link import Link

TOPIC_EXCHANGE = "bongsu.topics"


class Publisher:
    """Publishes on one channel, with any number of messages waiting for their confirms."""

    def __init__(self, link: Link, url: str) -> None:
        self._link = link
        self._channel = ReopeningChannel(link)
        self._user = URL(url).user or "guest"  # as aiormq does
        self._in_flight: dict[str, asyncio.Event] = {}
        self._topics: tuple[AbstractChannel, AbstractExchange] | None = None

    async def publish(self, queue: str, message: Message, *, timeout_s: float = 5.0, persistent: bool = True) -> None:
        """As `Broker.publish`. A message that is not persistent is gone when the broker restarts."""
        encoded = self._encode(queue, message, persistent=persistent)
        await self._confirmed(queue, encoded, timeout_s)

    async def publish_many(
        self, items: Sequence[tuple[str, Message]], *, timeout_s: float
    ) -> list[PublishError | None]:
        """As `Broker.publish_many`."""

        async def one(queue: str, message: Message) -> PublishError | None:
            try:
                await self.publish(queue, message, timeout_s=timeout_s)
            except PublishError as error:
                return error
            return None

        return await asyncio.gather(*(one(queue, message) for queue, message in items))

    async def broadcast(self, topic: str, message: Message, *, timeout_s: float) -> None:
        """As `Broker.broadcast`."""
        encoded = self._encode(topic, message, persistent=False)
        async with time_limit(TOPIC_EXCHANGE, timeout_s):
            channel = await self._channel.get()
            if self._topics is None or self._topics[0] is not channel:
                self._topics = (channel, await declare_topic_exchange(channel))
            await self._topics[1].publish(encoded, topic, mandatory=False)

    async def republish(self, queue: str, raw: bytes, message_id: str, headers: HeadersType) -> None:
        """Publish bytes unchanged, as a new message."""
        message = aio_pika.Message(
            raw,
            message_id=message_id,
            headers=headers,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._confirmed(queue, message, 5.0)

    async def _confirmed(self, queue: str, message: aio_pika.Message, timeout_s: float) -> None:
        async with time_limit(queue, timeout_s):
            message_id = message.message_id or ""
            # aiormq identifies a returned message by its ID alone: of two in flight with one ID, it could take the
            # wrong one as returned, and the other as delivered.
            while (other := self._in_flight.get(message_id)) is not None:
                await other.wait()
            done = self._in_flight[message_id] = asyncio.Event()
            try:
                exchange: AbstractExchange = (await self._channel.get()).default_exchange
                await exchange.publish(message, queue, mandatory=True)
            finally:
                del self._in_flight[message_id]
                done.set()

    def _encode(self, routing_key: str, message: Message, *, persistent: bool) -> aio_pika.Message:
        if message.user_id is not None and message.user_id != self._user:
            raise InvalidMessage(f"The message has the user {message.user_id!r}, the connection another")
        return aio_pika.Message(
            encode_message(routing_key, message),
            message_id=message.id,
            headers={**message.headers},
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT if persistent else aio_pika.DeliveryMode.NOT_PERSISTENT,
            expiration=message.expires_in_s,
            user_id=self._user,
        )


async def declare_topic_exchange(channel: AbstractChannel) -> AbstractExchange:
    """Declare the exchange that broadcasts go through."""
    return await channel.declare_exchange(TOPIC_EXCHANGE, aio_pika.ExchangeType.DIRECT, durable=True)
