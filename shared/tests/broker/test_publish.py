import asyncio
from dataclasses import replace
from typing import cast

import pytest

from bongsu.broker import Broker, BrokerUnavailable, InvalidMessage, JsonObject, Message, Unroutable
from shared.tests.broker.recorder import LONG_S, PATIENCE_S, Recorder, numbered
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually

ANYTHING: JsonObject = {
    "text": "봉수대에서 연기가 오른다 🔥👩‍👩‍👧 é \u2028 \x00",
    "numbers": [0, -1, 2**53, 1.5, 1e300],
    "nested": {"a": [{"b": None}, [], {}, True, False, ""]},
    "열쇠": "값",
}


class TestPublish:
    async def test_message_arrives_as_it_was_sent(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        sent = Message(body=ANYTHING, id="id-1", headers={"trace": "추적"}, expires_in_s=60)
        await broker.publish(queue, sent)
        await broker.consume(queue, received, prefetch=1)
        assert (await received.next()).message == replace(sent, user_id=server.user)

    async def test_confirmed_message_is_in_the_queue(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await broker.publish(queue, Message(body={}))
        assert await broker.depth(queue) == 1

    async def test_large_body_arrives(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.publish(queue, Message(body={"text": "가" * 500_000}))
        await broker.consume(queue, received, prefetch=1)
        assert (await received.next()).message.body == {"text": "가" * 500_000}

    async def test_message_for_a_queue_that_is_missing_is_unroutable(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        with pytest.raises(Unroutable):
            await broker.publish(server.name("nowhere"), Message(body={}))

    async def test_message_for_a_deleted_queue_is_unroutable(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await broker.publish(queue, Message(body={}))
        await server.delete(queue)
        with pytest.raises(Unroutable):
            await broker.publish(queue, Message(body={}))

    async def test_publishing_works_after_an_unroutable_message(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        with pytest.raises(Unroutable):
            await broker.publish(server.name("nowhere"), Message(body={}))
        await broker.publish(queue, Message(body={}))
        assert await broker.depth(queue) == 1

    @pytest.mark.parametrize(
        "body",
        [{"at": object()}, {"n": float("nan")}, {"n": float("inf")}, {"text": "\ud800"}, {"b": b"bytes"}, [1], "text"],
    )
    async def test_body_is_refused_when_json_cannot_express_it(
        self, server: BrokerServer, broker: Broker, body: object
    ) -> None:
        queue = await server.queue(broker)
        with pytest.raises(InvalidMessage):
            await broker.publish(queue, Message(body=cast("JsonObject", body)))

    @pytest.mark.parametrize(
        "message",
        [
            Message(body={}, id=""),
            Message(body={}, id="봉" * 100),
            Message(body={}, headers={"봉" * 100: "1"}),
            Message(body={}, headers={"trace": "\ud800"}),
            Message(body={}, headers={"trace": cast("str", 1)}),
            Message(body={}, expires_in_s=-1),
            Message(body={}, expires_in_s=float("nan")),
            Message(body={}, expires_in_s=2**33),
        ],
        ids=["no id", "long id", "long header", "surrogate", "number", "negative expiry", "no expiry", "far expiry"],
    )
    async def test_message_beyond_amqp_limits_is_refused_alone(
        self, server: BrokerServer, broker: Broker, message: Message
    ) -> None:
        queue = await server.queue(broker)
        results = await broker.publish_many([(queue, Message(body={})), (queue, message), (queue, Message(body={}))])
        assert [type(result) for result in results] == [type(None), InvalidMessage, type(None)]

    async def test_name_beyond_amqp_limits_is_refused(self, broker: Broker) -> None:
        for name in ("", "봉" * 100):
            with pytest.raises(InvalidMessage):
                await broker.publish(name, Message(body={}))

    async def test_publish_fails_without_waiting_when_disconnected(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        server.cut()
        await eventually(lambda: not broker.connected)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(BrokerUnavailable):
                await broker.publish(queue, Message(body={}), timeout_s=LONG_S)

    async def test_publish_after_close_fails(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await broker.close()
        with pytest.raises(BrokerUnavailable):
            await broker.publish(queue, Message(body={}))

    async def test_concurrent_publishes_are_all_confirmed(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await asyncio.gather(*(broker.publish(queue, message) for message in numbered(200)))
        assert await broker.depth(queue) == 200


class TestPublishMany:
    async def test_each_message_has_its_own_result(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        missing = server.name("nowhere")
        broken = Message(body=cast("JsonObject", {"at": object()}))
        results = await broker.publish_many(
            [(queue, Message(body={})), (missing, Message(body={})), (queue, broken), (queue, Message(body={}))]
        )
        assert [type(result) for result in results] == [type(None), Unroutable, InvalidMessage, type(None)]
        assert await broker.depth(queue) == 2

    async def test_messages_keep_their_order(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.publish_many([(queue, message) for message in numbered(300)])
        await broker.consume(queue, received, prefetch=50, concurrency=1)
        assert [body["n"] for body in await received.bodies(300)] == list(range(300))

    async def test_repeated_id_of_an_unroutable_message_is_reported_each_time(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        missing, repeated = server.name("nowhere"), Message(body={}, id="same")
        results = await broker.publish_many([(missing, repeated)] * 3)
        assert [type(result) for result in results] == [Unroutable] * 3

    async def test_publishing_no_messages_is_allowed(self, broker: Broker) -> None:
        assert await broker.publish_many([]) == []

    async def test_disconnected_publish_fails_for_each(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        server.cut()
        await eventually(lambda: not broker.connected)
        results = await broker.publish_many([(queue, message) for message in numbered(3)])
        assert [type(result) for result in results] == [BrokerUnavailable] * 3
