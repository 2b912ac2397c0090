import pytest

from bongsu.broker import Broker, BrokerUnavailable, Message, QueueMismatch, QueueMissing, QueueSpec, dead_letter_queue
from shared.tests.broker.recorder import Recorder, numbered
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually


class TestDeclare:
    async def test_declaring_twice_is_allowed(self, server: BrokerServer, broker: Broker) -> None:
        spec = QueueSpec(server.name("jobs"))
        await broker.declare(spec)
        await broker.publish(spec.name, Message(body={}))
        await broker.declare(spec, spec)
        assert await broker.depth(spec.name) == 1

    async def test_other_arguments_are_one_clear_error(self, server: BrokerServer, broker: Broker) -> None:
        name = server.name("jobs")
        await broker.declare(QueueSpec(name, delivery_limit=3))
        with pytest.raises(QueueMismatch, match=name):
            await broker.declare(QueueSpec(name, delivery_limit=4))

    async def test_broker_works_on_after_a_mismatch(self, server: BrokerServer, broker: Broker) -> None:
        name = server.name("jobs")
        await broker.declare(QueueSpec(name))
        with pytest.raises(QueueMismatch):
            await broker.declare(QueueSpec(name, dead_letter=False))
        await broker.publish(name, Message(body={}))
        assert await broker.depth(name) == 1

    async def test_dead_letter_queue_is_declared_too(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        assert await broker.depth(dead_letter_queue(queue)) == 0

    async def test_queue_is_declared_later_when_disconnected(self, server: BrokerServer, broker: Broker) -> None:
        server.cut()
        await eventually(lambda: not broker.connected)
        spec = QueueSpec(server.name("jobs"))
        with pytest.raises(BrokerUnavailable):
            await broker.declare(spec)
        server.restore()
        await eventually(lambda: broker.connected)
        assert await broker.depth(spec.name) == 0


class TestDepth:
    async def test_depth_leaves_out_unsettled_messages(self, server: BrokerServer, broker: Broker) -> None:
        queue, held = await server.queue(broker), Recorder(ack=False)
        await broker.publish_many([(queue, message) for message in numbered(3)])
        await broker.consume(queue, held, prefetch=2)
        await held.take(2)

        async def one_is_ready() -> bool:
            return await broker.depth(queue) == 1

        await eventually(one_is_ready)

    async def test_depth_of_a_missing_queue_is_an_error(self, server: BrokerServer, broker: Broker) -> None:
        with pytest.raises(QueueMissing):
            await broker.depth(server.name("nowhere"))

    async def test_depth_works_after_a_missing_queue(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        with pytest.raises(QueueMissing):
            await broker.depth(server.name("nowhere"))
        assert await broker.depth(queue) == 0

    async def test_disconnected_depth_is_an_error(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        server.cut()
        await eventually(lambda: not broker.connected)
        with pytest.raises(BrokerUnavailable):
            await broker.depth(queue)


class TestExpiry:
    async def test_expired_message_is_not_delivered(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.publish(queue, Message(body={"n": 1}, expires_in_s=0.02))

        async def gone() -> bool:
            return await broker.depth(queue) == 0

        await eventually(gone)
        await broker.publish(queue, Message(body={"n": 2}))
        await broker.consume(queue, received, prefetch=5)
        assert (await received.next()).message.body == {"n": 2}

    async def test_expired_message_is_a_dead_letter(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await broker.publish(queue, Message(body={"n": 1}, expires_in_s=0.02))

        async def dead() -> bool:
            return [letter.reason for letter in await broker.dead_letters(queue)] == ["expired"]

        await eventually(dead)

    async def test_message_in_time_is_delivered(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.publish(queue, Message(body={"n": 1}, expires_in_s=60))
        await broker.consume(queue, received, prefetch=5)
        assert (await received.next()).message.body == {"n": 1}
