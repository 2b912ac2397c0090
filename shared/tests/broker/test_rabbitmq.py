"""Tests of the RabbitMQ adapter alone. The suite that both adapters share is in the files beside this one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest
from yarl import URL

from bongsu.broker import (
    AccessRefused,
    BrokerError,
    BrokerUnavailable,
    InvalidMessage,
    Message,
    QueueMismatch,
    QueueSpec,
)
from bongsu.broker.rabbitmq import RabbitBroker
from bongsu.broker.rabbitmq.session import ConsumerSession
from shared.tests.broker.recorder import LONG_S, PATIENCE_S, Recorder, numbered
from shared.tests.broker.servers import RabbitServer
from tests.eventually import eventually


@pytest.fixture
async def broker(rabbit_server: RabbitServer) -> RabbitBroker:
    return await rabbit_server.client()


@pytest.fixture
async def raw(amqp_server_url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """A channel to RabbitMQ that bypasses the adapter and the proxy."""
    async with await aio_pika.connect(amqp_server_url) as connection, connection.channel() as channel:
        yield channel


class TestConnect:
    async def test_unreachable_broker_is_named_without_the_password(self) -> None:
        broker = RabbitBroker("amqp://someone:hunter2@127.0.0.1:1/")
        with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1") as caught:
            await broker.connect()
        assert "hunter2" not in str(caught.value)
        await broker.close()

    async def test_refused_credentials_are_named_without_the_password(self, rabbit_server: RabbitServer) -> None:
        address = urlsplit(rabbit_server.proxy.url).netloc.rpartition("@")[2]
        broker = RabbitBroker(f"amqp://someone:hunter2@{address}/")
        with pytest.raises(AccessRefused, match="someone") as caught:
            await broker.connect()
        assert "hunter2" not in str(caught.value)

    async def test_connecting_times_out_when_the_server_is_silent(self, rabbit_server: RabbitServer) -> None:
        rabbit_server.proxy.freeze()
        with pytest.raises(BrokerUnavailable):
            await RabbitBroker(rabbit_server.proxy.url, connect_timeout_s=0.1).connect()

    async def test_broker_that_is_not_required_is_connected_later(self, rabbit_server: RabbitServer) -> None:
        rabbit_server.cut()
        broker = RabbitBroker(rabbit_server.proxy.url, retry_s=(0.05, 0.1))
        await broker.connect(required=False)
        assert not broker.connected
        rabbit_server.restore()
        await eventually(lambda: broker.connected)
        await broker.close()

    async def test_publishing_and_consuming_have_separate_connections(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        assert broker.connected
        assert rabbit_server.proxy.connections == 2

    async def test_closed_broker_leaves_no_connection(self, rabbit_server: RabbitServer, broker: RabbitBroker) -> None:
        await broker.consume(await rabbit_server.queue(broker), Recorder(), prefetch=1)
        await broker.close()
        await eventually(lambda: rabbit_server.proxy.connections == 0)


class TestPublish:
    async def test_publishing_times_out_when_the_broker_is_silent(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue = await rabbit_server.queue(broker)
        await broker.publish(queue, Message(body={}))
        rabbit_server.proxy.freeze()
        async with asyncio.timeout(PATIENCE_S):  # one after the other would take 100 s
            results = await broker.publish_many([(queue, message) for message in numbered(50)], timeout_s=2)
        assert [type(result) for result in results] == [BrokerUnavailable] * 50

    async def test_publishing_works_again_when_the_broker_responds(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue = await rabbit_server.queue(broker)
        rabbit_server.proxy.freeze()
        with pytest.raises(BrokerUnavailable):
            await broker.publish(queue, Message(body={}), timeout_s=0.1)
        rabbit_server.proxy.thaw()
        await broker.publish(queue, Message(body={}))

    async def test_publishes_in_flight_fail_when_the_connection_is_cut(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue = await rabbit_server.queue(broker)
        await broker.publish(queue, Message(body={}))
        rabbit_server.proxy.freeze()
        publishing = asyncio.create_task(
            broker.publish_many([(queue, message) for message in numbered(20)], timeout_s=LONG_S)
        )
        await eventually(lambda: len(broker._publisher._in_flight) == 20)
        rabbit_server.cut()
        async with asyncio.timeout(PATIENCE_S):
            results = await publishing
        assert [type(result) for result in results] == [BrokerUnavailable] * 20

    async def test_user_of_the_connection_reaches_the_receiver(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue, received = await rabbit_server.queue(broker), Recorder()
        user = urlsplit(rabbit_server.url).username
        await broker.publish(queue, Message(body={}))
        await broker.consume(queue, received, prefetch=1)
        assert (await received.next()).message.user_id == user

    async def test_message_of_another_user_is_refused_alone(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue = await rabbit_server.queue(broker)
        results = await broker.publish_many(
            [(queue, Message(body={})), (queue, Message(body={}, user_id="somebody-else")), (queue, Message(body={}))]
        )
        assert [type(result) for result in results] == [type(None), InvalidMessage, type(None)]

    async def test_messages_are_persistent(
        self, rabbit_server: RabbitServer, broker: RabbitBroker, raw: aio_pika.abc.AbstractChannel
    ) -> None:
        queue = await rabbit_server.queue(broker)
        await broker.publish(queue, Message(body={}))
        incoming = await (await raw.get_queue(queue)).get()
        assert incoming is not None
        assert incoming.delivery_mode == aio_pika.DeliveryMode.PERSISTENT

    async def test_connection_that_the_server_closes_is_replaced(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue = await rabbit_server.queue(broker)
        channel = await broker._publisher._channel.get()
        # RabbitMQ answers a flag that it does not know by closing the connection with 540.
        with pytest.raises((aio_pika.exceptions.AMQPError, asyncio.CancelledError)):
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), queue, immediate=True, timeout=5)
        await eventually(lambda: not broker.connected)
        await eventually(lambda: broker.connected)
        await broker.publish(queue, Message(body={}))

    async def test_channel_that_the_server_closes_is_replaced(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue = await rabbit_server.queue(broker)
        channel = await broker._publisher._channel.get()
        with pytest.raises(aio_pika.exceptions.AMQPError):
            await channel.get_exchange(rabbit_server.name("nowhere"))
        await broker.publish(queue, Message(body={}))
        assert broker.connected


class TestConsume:
    async def test_channel_that_the_server_closes_is_replaced(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue, received = await rabbit_server.queue(broker), Recorder(ack=False)
        consuming = await broker.consume(queue, received, prefetch=1)
        await broker.publish(queue, Message(body={}))
        before = await received.next()
        assert consuming._session is not None
        channel = await consuming._session._channel.get_underlay_channel()
        await channel.basic_ack(999)  # no such delivery: RabbitMQ closes the channel with 406
        after = await received.next()
        assert (before.lost, after.lost, after.delivery_count) == (True, False, 1)

    async def test_consumer_is_replaced_when_rabbitmq_has_lost_it(self, rabbit_server: RabbitServer) -> None:
        broker = await rabbit_server.client(probe_every_s=0.05)
        queue, received = await rabbit_server.queue(broker), Recorder()
        consuming = await broker.consume(queue, received, prefetch=1)
        session = consuming._session
        assert session is not None
        assert session._tag is not None
        await (await session._channel.get_underlay_channel()).basic_cancel(session._tag)
        await broker.publish(queue, Message(body={}))
        await received.next()
        assert consuming._session is not session

    async def test_deleted_queue_is_declared_again_by_its_consumer(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue, received = await rabbit_server.queue(broker), Recorder()
        await broker.consume(queue, received, prefetch=1)
        await rabbit_server.delete(queue)

        async def published() -> bool:
            return await broker.publish_many([(queue, Message(body={"n": 1}))]) == [None]

        await eventually(published)
        assert (await received.next()).message.body == {"n": 1}

    async def test_queue_that_cannot_be_consumed_is_fatal_after_a_while(
        self, rabbit_server: RabbitServer, raw: aio_pika.abc.AbstractChannel
    ) -> None:
        failures: list[BrokerError] = []
        broker = RabbitBroker(rabbit_server.proxy.url, on_fatal=failures.append, fatal_after_s=0.2)
        await broker.connect()
        queue = await rabbit_server.queue(broker)
        await broker.consume(queue, Recorder(), prefetch=1)
        rabbit_server.proxy.freeze()  # else it may declare its queue again before we declare another
        await raw.queue_delete(queue)
        await raw.declare_queue(queue, durable=True)
        rabbit_server.proxy.thaw()
        await eventually(lambda: failures != [])
        assert type(failures[0]) is QueueMismatch
        await broker.close()

    async def test_consumer_outlives_a_defect(
        self, rabbit_server: RabbitServer, broker: RabbitBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        queue, received, failures = await rabbit_server.queue(broker), Recorder(), [AssertionError("a defect")]
        consuming = await broker.consume(queue, received, prefetch=1)
        open_session = ConsumerSession.open

        async def fail_once(*arguments: Any) -> ConsumerSession:  # noqa: ANN401 - passed through
            if failures:
                raise failures.pop()
            return await open_session(*arguments)

        monkeypatch.setattr(ConsumerSession, "open", fail_once)
        assert consuming._session is not None
        consuming._session.end()
        await eventually(lambda: failures == [])
        await broker.publish(queue, Message(body={}))
        await received.next()


class TestReconnect:
    async def test_connection_outlives_a_defect(
        self, rabbit_server: RabbitServer, broker: RabbitBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failures, connect = [AssertionError("a defect"), AssertionError("another")], aio_pika.connect

        async def fail_twice(url: URL) -> aio_pika.abc.AbstractConnection:
            if failures:
                raise failures.pop()
            return await connect(url)

        monkeypatch.setattr(aio_pika, "connect", fail_twice)
        rabbit_server.cut()
        await eventually(lambda: failures == [])
        rabbit_server.restore()
        await eventually(lambda: broker.connected)

    async def test_queues_are_declared_again_when_the_broker_lost_its_disk(
        self, rabbit_server: RabbitServer, broker: RabbitBroker
    ) -> None:
        queue, received = await rabbit_server.queue(broker), Recorder()
        await broker.consume(queue, received, prefetch=1)
        rabbit_server.cut()
        await eventually(lambda: not broker.connected)
        await rabbit_server.delete(queue)
        await rabbit_server.delete(f"{queue}.dead")
        rabbit_server.restore()
        await eventually(lambda: broker.connected)
        await broker.publish(queue, Message(body={}))
        await received.next()

    async def test_queue_with_other_arguments_is_fatal_when_reconnecting(
        self, rabbit_server: RabbitServer, raw: aio_pika.abc.AbstractChannel
    ) -> None:
        failures: list[BrokerError] = []
        broker = RabbitBroker(rabbit_server.proxy.url, retry_s=(0.05, 0.1), on_fatal=failures.append)
        await broker.connect()
        name = rabbit_server.name("jobs")
        await broker.declare(QueueSpec(name))
        rabbit_server.cut()
        await eventually(lambda: not broker.connected)
        await raw.queue_delete(name)
        await raw.declare_queue(name, durable=True)
        rabbit_server.restore()
        await eventually(lambda: broker.connected)
        assert [type(failure) for failure in failures][:1] == [QueueMismatch]
        await broker.close()
