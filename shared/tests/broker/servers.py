"""The two brokers that the suite runs over, as a test controls them from outside."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

import aio_pika
from aio_pika.exceptions import AMQPError
from yarl import URL

from bongsu.broker import Broker, QueueSpec, dead_letter_queue
from bongsu.broker.memory import MemoryBroker, MemoryHub
from bongsu.broker.memory.hub import StoredMessage
from bongsu.broker.rabbitmq import RabbitBroker
from shared.tests.broker.proxy import CuttableProxy


class BrokerServer(ABC):
    """A broker and its clients. Its names are used by one test only."""

    def __init__(self, prefix: str, user: str | None = None) -> None:
        self.prefix = prefix
        self.user = user
        """By which its clients are connected."""
        self._names: set[str] = set()

    def name(self, name: str) -> str:
        """A queue's or topic's name."""
        full = f"{self.prefix}{name}"
        self._names.add(full)
        return full

    async def queue(self, broker: Broker, *, delivery_limit: int = 20, dead_letter: bool = True) -> str:
        """Declare a queue for this test."""
        name = self.name(f"queue{len(self._names)}")
        await broker.declare(QueueSpec(name, delivery_limit=delivery_limit, dead_letter=dead_letter))
        return name

    @abstractmethod
    async def client(self) -> Broker:
        """A new client, connected."""

    @abstractmethod
    def cut(self) -> None:
        """Cut every client's connection, until `restore`."""

    @abstractmethod
    def restore(self) -> None:
        """Let the clients connect again."""

    @abstractmethod
    async def delete(self, queue: str) -> None:
        """Delete a queue as an operator would."""

    @abstractmethod
    async def put_raw(self, queue: str, raw: bytes, message_id: str) -> None:
        """Publish bytes that are not an encoded message."""

    @abstractmethod
    async def close(self) -> None:
        """Close the clients and leave nothing behind."""


class CuttableBroker(MemoryBroker):
    """A memory broker that can lose its connection, as over a network."""

    def cut(self) -> None:
        """Lose the connection until `restore`."""
        self._connected = False
        for consumer in self._consumers:
            consumer.detach()
        self._rpc_client.fail_all("The connection to the broker was lost")

    def restore(self) -> None:
        """Be connected again."""
        self._restore()


class MemoryServer(BrokerServer):
    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.hub = MemoryHub()
        self._clients: list[CuttableBroker] = []

    async def client(self) -> CuttableBroker:
        broker = CuttableBroker(self.hub)
        await broker.connect()
        self._clients.append(broker)
        return broker

    def cut(self) -> None:
        for broker in self._clients:
            broker.cut()

    def restore(self) -> None:
        for broker in self._clients:
            broker.restore()

    async def delete(self, queue: str) -> None:
        self.hub.delete(queue)

    async def put_raw(self, queue: str, raw: bytes, message_id: str) -> None:
        self.hub.find(queue).put(StoredMessage(message_id, raw, {}, None, None))

    async def close(self) -> None:
        for broker in self._clients:
            await broker.close(drain_s=1)
        left = [name for name, queue in self.hub.queues.items() if queue.temporary]
        assert left == [], "temporary queues were left behind"


class RabbitServer(BrokerServer):
    def __init__(self, prefix: str, url: str) -> None:
        super().__init__(prefix, URL(url).user or "guest")
        self.url = url
        self.proxy = CuttableProxy(url)
        self._clients: list[RabbitBroker] = []

    async def client(self, *, probe_every_s: float = 15.0) -> RabbitBroker:
        broker = RabbitBroker(self.proxy.url, retry_s=(0.05, 0.2), probe_every_s=probe_every_s)
        await broker.connect()
        self._clients.append(broker)
        return broker

    def cut(self) -> None:
        self.proxy.cut()

    def restore(self) -> None:
        self.proxy.restore()

    async def delete(self, queue: str) -> None:
        async with await aio_pika.connect(self.url) as connection, connection.channel() as channel:
            await channel.queue_delete(queue)

    async def put_raw(self, queue: str, raw: bytes, message_id: str) -> None:
        async with await aio_pika.connect(self.url) as connection, connection.channel() as channel:
            await channel.default_exchange.publish(aio_pika.Message(raw, message_id=message_id), queue)

    async def close(self) -> None:
        self.proxy.thaw()
        for broker in self._clients:
            await broker.close(drain_s=1)
        await self.proxy.close()
        async with await aio_pika.connect(self.url) as connection:
            for name in self._names:
                for queue in (name, dead_letter_queue(name)):
                    with suppress(AMQPError, asyncio.CancelledError):
                        async with connection.channel() as channel:
                            await channel.queue_delete(queue)
