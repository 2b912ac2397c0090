import asyncio
from dataclasses import replace
from typing import cast

import pytest

from bongsu.broker import Broker, BrokerUnavailable, InvalidMessage, JsonObject, Message
from shared.tests.broker.recorder import LONG_S, PATIENCE_S, TopicRecorder
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually


class TestBroadcast:
    async def test_every_replica_gets_each_message(self, server: BrokerServer, broker: Broker) -> None:
        topic, replicas = server.name("events"), [TopicRecorder() for _ in range(3)]
        for replica in replicas:
            await (await server.client()).subscribe(topic, replica)
        sent = Message(body={"text": "차단 🚫"}, id="id-1", headers={"trace": "t-1"})
        await broker.broadcast(topic, sent)
        assert [await replica.next() for replica in replicas] == [replace(sent, user_id=server.user)] * 3

    async def test_two_subscriptions_of_one_client_get_each_message(self, server: BrokerServer, broker: Broker) -> None:
        topic, one, two = server.name("events"), TopicRecorder(), TopicRecorder()
        await broker.subscribe(topic, one)
        await broker.subscribe(topic, two)
        await broker.broadcast(topic, Message(body={"n": 1}))
        assert [(await one.next()).body, (await two.next()).body] == [{"n": 1}, {"n": 1}]

    async def test_broadcast_without_subscribers_is_accepted(self, server: BrokerServer, broker: Broker) -> None:
        await broker.broadcast(server.name("events"), Message(body={}))

    async def test_messages_of_other_topics_are_not_received(self, server: BrokerServer, broker: Broker) -> None:
        topic, other, received = server.name("events"), server.name("others"), TopicRecorder()
        await broker.subscribe(topic, received)
        await broker.broadcast(other, Message(body={"n": 1}))
        await broker.broadcast(topic, Message(body={"n": 2}))
        assert (await received.next()).body == {"n": 2}

    async def test_broadcast_fails_without_waiting_when_disconnected(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        server.cut()
        await eventually(lambda: not broker.connected)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(BrokerUnavailable):
                await broker.broadcast(server.name("events"), Message(body={}), timeout_s=LONG_S)

    async def test_body_is_refused_when_json_cannot_express_it(self, server: BrokerServer, broker: Broker) -> None:
        with pytest.raises(InvalidMessage):
            await broker.broadcast(server.name("events"), Message(body=cast("JsonObject", {"at": object()})))


class TestSubscribe:
    async def test_messages_come_in_order(self, server: BrokerServer, broker: Broker) -> None:
        topic, received = server.name("events"), TopicRecorder()
        await broker.subscribe(topic, received)
        for n in range(40):
            await broker.broadcast(topic, Message(body={"n": n}))
        assert [(await received.next()).body["n"] for _ in range(40)] == list(range(40))

    async def test_failing_handler_gets_the_next_message(self, server: BrokerServer, broker: Broker) -> None:
        topic, received = server.name("events"), TopicRecorder()

        async def fail_first(message: Message) -> None:
            if message.body == {"n": 0}:
                raise ValueError("a defect")
            await received(message)

        await broker.subscribe(topic, fail_first)
        for n in range(2):
            await broker.broadcast(topic, Message(body={"n": n}))
        assert (await received.next()).body == {"n": 1}

    async def test_cancelled_subscription_receives_nothing(self, server: BrokerServer, broker: Broker) -> None:
        topic, gone, stays = server.name("events"), TopicRecorder(), TopicRecorder()
        subscription = await broker.subscribe(topic, gone)
        await broker.subscribe(topic, stays)
        await subscription.cancel()
        await broker.broadcast(topic, Message(body={}))
        await stays.next()
        assert gone.waiting == 0
