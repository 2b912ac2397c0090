from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.broker import Broker, Delivery, Message, QueueMissing, Unroutable, dead_letter_queue
from shared.tests.broker.recorder import Recorder, numbered
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually


async def reject(deliveries: list[Delivery]) -> None:
    for delivery in deliveries:
        await delivery.reject(requeue=False)


async def bury(broker: Broker, queue: str, *messages: Message) -> None:
    """Make dead letters of messages, in their order."""
    consumer = await broker.consume(queue, reject, prefetch=1)
    await broker.publish_many([(queue, message) for message in messages])

    async def dead() -> bool:
        return await broker.depth(dead_letter_queue(queue)) == len(messages)

    await eventually(dead)
    await consumer.cancel()


class TestDeadLetters:
    async def test_dead_letter_has_its_message_and_reason(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        sent = Message(body={"text": "안녕 👋"}, id="id-1", headers={"trace": "t-1"})
        await bury(broker, queue, sent)
        (dead,) = await broker.dead_letters(queue)
        assert (dead.id, dead.queue, dead.reason, dead.message) == (
            "id-1",
            queue,
            "rejected",
            replace(sent, user_id=server.user),
        )
        assert dead.died_at is not None
        assert abs(dead.died_at - datetime.now(UTC)) < timedelta(minutes=1)

    async def test_dead_letters_stay_and_keep_their_order(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await bury(broker, queue, *numbered(3))
        for _ in range(25):
            dead = await broker.dead_letters(queue, limit=2)
            assert [one.message.body["n"] for one in dead if one.message is not None] == [0, 1]
        assert await broker.depth(dead_letter_queue(queue)) == 3

    async def test_queue_without_dead_letters_has_none(self, server: BrokerServer, broker: Broker) -> None:
        assert await broker.dead_letters(await server.queue(broker)) == []

    async def test_queue_without_a_dead_letter_queue_is_an_error(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker, dead_letter=False)
        with pytest.raises(QueueMissing):
            await broker.dead_letters(queue)


class TestRedrive:
    async def test_redriven_message_is_a_new_message(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        sent = Message(body={"text": "안녕"}, id="id-1", headers={"trace": "t-1"})
        await bury(broker, queue, sent)
        assert await broker.redrive(queue) == 1
        await broker.consume(queue, received, prefetch=1)
        delivery = await received.next()
        assert (delivery.message, delivery.delivery_count) == (sent, 0)
        assert await broker.dead_letters(queue) == []

    async def test_second_redrive_moves_nothing(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await bury(broker, queue, *numbered(5))
        assert [await broker.redrive(queue), await broker.redrive(queue)] == [5, 0]
        assert await broker.depth(queue) == 5

    async def test_limit_moves_the_oldest(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await bury(broker, queue, *numbered(5))
        assert await broker.redrive(queue, limit=2) == 2
        await broker.consume(queue, received, prefetch=5, concurrency=1)
        assert await received.bodies(2) == [{"n": 0}, {"n": 1}]
        assert await broker.depth(dead_letter_queue(queue)) == 3

    async def test_only_messages_with_the_ids_are_moved(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await bury(broker, queue, *(Message(body={}, id=f"id-{n}") for n in range(4)))
        assert await broker.redrive(queue, ids={"id-1", "id-3", "id-9"}) == 2
        assert [one.id for one in await broker.dead_letters(queue)] == ["id-0", "id-2"]

    async def test_message_is_moved_once_when_it_is_dead_lettered_again(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue = await server.queue(broker)
        await bury(broker, queue, *numbered(3))
        await broker.consume(queue, reject, prefetch=3)
        assert await broker.redrive(queue) == 3

        async def all_dead() -> bool:
            return await broker.depth(dead_letter_queue(queue)) == 3

        await eventually(all_dead)

    async def test_dead_letter_of_a_missing_queue_stays(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await bury(broker, queue, *numbered(2))
        await server.delete(queue)
        with pytest.raises(Unroutable):
            await broker.redrive(queue)

        async def both_stay() -> bool:
            return await broker.depth(dead_letter_queue(queue)) == 2

        await eventually(both_stay)
