import asyncio

import pytest

from bongsu.broker import Broker, Delivery, Message, QueueMissing
from shared.tests.broker.recorder import LONG_S, PATIENCE_S, Recorder, numbered
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually


class Blocking:
    """A handler that waits for a gate, and counts how many run."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.finished = 0

    async def __call__(self, deliveries: list[Delivery]) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        for delivery in deliveries:
            await delivery.ack()
        self.running -= 1
        self.finished += 1


class TestConsume:
    async def test_missing_queue_is_an_error(self, server: BrokerServer, broker: Broker) -> None:
        with pytest.raises(QueueMissing):
            await broker.consume(server.name("nowhere"), Recorder(), prefetch=1)

    async def test_batch_larger_than_the_prefetch_is_an_error(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        with pytest.raises(ValueError, match="prefetch"):
            await broker.consume(queue, Recorder(), prefetch=4, batch_max=5)

    async def test_no_more_than_the_prefetch_is_unsettled(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder(ack=False)
        await broker.publish_many([(queue, message) for message in numbered(10)])
        await broker.consume(queue, received, prefetch=3)
        held = await received.take(3)
        await eventually(lambda: depth_is(broker, queue, 7))
        assert received.count == 3
        await held[0].ack()
        await received.next()
        await eventually(lambda: depth_is(broker, queue, 6))
        assert received.count == 4

    async def test_two_consumers_share_the_work(self, server: BrokerServer, broker: Broker) -> None:
        queue, one, two = await server.queue(broker), Recorder(ack=False), Recorder(ack=False)
        await broker.consume(queue, one, prefetch=2)
        await (await server.client()).consume(queue, two, prefetch=2)
        await broker.publish_many([(queue, message) for message in numbered(4)])
        await one.take(2)
        await two.take(2)

    async def test_handlers_run_concurrently(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = await server.queue(broker), Blocking()
        await broker.publish_many([(queue, message) for message in numbered(5)])
        await broker.consume(queue, handler, prefetch=5)
        await eventually(lambda: handler.running == 5)
        handler.gate.set()

    async def test_no_more_handlers_run_than_the_concurrency(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = await server.queue(broker), Blocking()
        await broker.publish_many([(queue, message) for message in numbered(6)])
        await broker.consume(queue, handler, prefetch=6, concurrency=2)
        await eventually(lambda: handler.running == 2)
        await eventually(lambda: depth_is(broker, queue, 0))
        handler.gate.set()
        await eventually(lambda: handler.finished == 6)
        assert handler.most == 2

    async def test_batch_is_filled_up_to_its_maximum(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.publish_many([(queue, message) for message in numbered(12)])
        await broker.consume(queue, received, prefetch=20, batch_max=4, batch_wait_s=LONG_S)
        await received.take(12)
        assert [len(batch) for batch in received.batches] == [4, 4, 4]

    async def test_batch_does_not_wait_for_more_than_its_time(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.consume(queue, received, prefetch=20, batch_max=20, batch_wait_s=0.02)
        await broker.publish(queue, Message(body={}))
        await received.next()
        assert [len(batch) for batch in received.batches] == [1]

    async def test_full_batch_does_not_wait(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        await broker.consume(queue, received, prefetch=2, batch_max=2, batch_wait_s=LONG_S)
        await broker.publish_many([(queue, message) for message in numbered(2)])
        async with asyncio.timeout(PATIENCE_S):
            await received.take(2)

    async def test_unsettled_messages_are_redelivered_when_the_handler_fails(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, seen, failed = await server.queue(broker), Recorder(), asyncio.Event()

        async def fail_first(deliveries: list[Delivery]) -> None:
            if not failed.is_set():
                failed.set()
                await deliveries[0].ack()
                raise ValueError("a defect")
            await seen(deliveries)

        await broker.publish_many([(queue, message) for message in numbered(2)])
        await broker.consume(queue, fail_first, prefetch=2, batch_max=2, batch_wait_s=LONG_S)
        async with asyncio.timeout(PATIENCE_S):
            await failed.wait()
        await broker.publish(queue, Message(body={"n": 2}))  # with which the next batch is full
        again = await seen.take(2)
        assert sorted((str(one.message.body["n"]), one.delivery_count) for one in again) == [("1", 1), ("2", 0)]
        await eventually(lambda: depth_is(broker, queue, 0))

    async def test_consumer_survives_a_failing_handler(self, server: BrokerServer, broker: Broker) -> None:
        queue, seen = await server.queue(broker), Recorder()

        async def fail_once(deliveries: list[Delivery]) -> None:
            if deliveries[0].message.body == {"n": 0} and deliveries[0].delivery_count == 0:
                raise ValueError("a defect")
            await seen(deliveries)

        consumer = await broker.consume(queue, fail_once, prefetch=1)
        await broker.publish_many([(queue, message) for message in numbered(2)])
        await seen.take(2)
        assert consumer.running

    async def test_delivery_can_be_settled_after_its_handler(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder(ack=False)
        consumer = await broker.consume(queue, received, prefetch=1)
        await broker.publish(queue, Message(body={}))
        await (await received.next()).ack()
        await consumer.cancel()
        assert await broker.depth(queue) == 0


async def depth_is(broker: Broker, queue: str, expected: int) -> bool:
    return await broker.depth(queue) == expected
