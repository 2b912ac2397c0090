import pytest

from bongsu.broker import Broker, Delivery, Message
from shared.tests.broker.recorder import Recorder, numbered
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually


class Rejecting:
    """A handler that rejects everything and keeps the delivery counts."""

    def __init__(self, *, requeue: bool) -> None:
        self.counts: list[int] = []
        self._requeue = requeue

    async def __call__(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self.counts.append(delivery.delivery_count)
            await delivery.reject(requeue=self._requeue)


class TestAck:
    async def test_acknowledged_message_is_gone(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.publish(queue, Message(body={}))
        consumer = await broker.consume(queue, received, prefetch=1)
        await received.next()
        await consumer.cancel()
        assert await broker.depth(queue) == 0

    async def test_settling_twice_is_an_error(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.publish(queue, Message(body={}))
        await broker.consume(queue, received, prefetch=1)
        delivery = await received.next()
        assert delivery.settled
        with pytest.raises(RuntimeError, match="settled"):
            await delivery.ack()
        with pytest.raises(RuntimeError, match="settled"):
            await delivery.reject(requeue=True)


class TestReject:
    async def test_requeued_message_is_redelivered_and_counted(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder(ack=False)
        await broker.publish(queue, Message(body={"n": 1}))
        await broker.consume(queue, received, prefetch=1)
        counts = []
        for _ in range(4):
            delivery = await received.next()
            counts.append(delivery.delivery_count)
            await delivery.reject(requeue=True)
        assert counts == [0, 1, 2, 3]

    async def test_message_is_dead_lettered_when_it_reaches_its_delivery_limit(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, handler = await server.queue(broker, delivery_limit=3), Rejecting(requeue=True)
        await broker.consume(queue, handler, prefetch=1)
        await broker.publish(queue, Message(body={"n": 1}, id="poison"))
        await eventually(lambda: has_dead_letters(broker, queue, 1))
        (dead,) = await broker.dead_letters(queue)
        assert (dead.id, dead.reason, handler.counts) == ("poison", "delivery_limit", [0, 1, 2, 3])

    async def test_message_is_dead_lettered_when_rejected_without_requeue(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, handler = await server.queue(broker), Rejecting(requeue=False)
        await broker.consume(queue, handler, prefetch=1)
        await broker.publish(queue, Message(body={"n": 1}))
        await eventually(lambda: has_dead_letters(broker, queue, 1))
        (dead,) = await broker.dead_letters(queue)
        assert (dead.reason, handler.counts) == ("rejected", [0])

    async def test_message_is_dropped_when_its_queue_has_no_dead_letters(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, handler = await server.queue(broker, delivery_limit=1, dead_letter=False), Rejecting(requeue=True)
        consumer = await broker.consume(queue, handler, prefetch=1)
        await broker.publish(queue, Message(body={}))
        await eventually(lambda: handler.counts == [0, 1])
        await consumer.cancel()
        assert await broker.depth(queue) == 0

    async def test_other_messages_are_delivered_beside_one_that_is_requeued(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, good = await server.queue(broker, delivery_limit=5), Recorder()

        async def handle(deliveries: list[Delivery]) -> None:
            for delivery in deliveries:
                if delivery.message.body == {"n": 3}:
                    raise ValueError("poison")
            await good(deliveries)

        await broker.publish_many([(queue, message) for message in numbered(10)])
        await broker.consume(queue, handle, prefetch=4)
        assert sorted(str(body["n"]) for body in await good.bodies(9)) == [str(n) for n in range(10) if n != 3]
        await eventually(lambda: has_dead_letters(broker, queue, 1))

    async def test_message_is_dead_lettered_unhandled_when_its_body_is_not_json(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.consume(queue, received, prefetch=10)
        await server.put_raw(queue, b"\xffnot json", "junk")
        await server.put_raw(queue, b"[1]", "list")
        await broker.publish(queue, Message(body={"n": 1}))
        assert (await received.next()).message.body == {"n": 1}
        await eventually(lambda: has_dead_letters(broker, queue, 2))
        dead = await broker.dead_letters(queue)
        assert sorted((one.id, one.raw, one.message) for one in dead) == [
            ("junk", b"\xffnot json", None),
            ("list", b"[1]", None),
        ]


async def has_dead_letters(broker: Broker, queue: str, count: int) -> bool:
    return len(await broker.dead_letters(queue)) == count
