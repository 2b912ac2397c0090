import asyncio

from bongsu.broker import Broker, Consumer, Delivery, Message
from shared.tests.broker.recorder import PATIENCE_S, Recorder, numbered
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually


class Gated:
    """A handler that sets `begun` when it starts, and finishes when `gate` is set."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.done = False
        self.cancelled = False

    async def __call__(self, deliveries: list[Delivery]) -> None:
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        for delivery in deliveries:
            await delivery.ack()
        self.done = True


class TestCancel:
    async def test_cancel_waits_for_running_handlers(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = await server.queue(broker), Gated()
        consumer = await broker.consume(queue, handler, prefetch=1)
        await broker.publish(queue, Message(body={}))
        await handler.begun.wait()
        cancelling = asyncio.create_task(consumer.cancel())
        await eventually(lambda: not consumer.running)
        assert not cancelling.done()
        handler.gate.set()
        await cancelling
        assert handler.done
        assert await broker.depth(queue) == 0

    async def test_unsettled_messages_go_to_another_consumer(self, server: BrokerServer, broker: Broker) -> None:
        queue, held, received = await server.queue(broker), Recorder(ack=False), Recorder()
        await broker.publish_many([(queue, message) for message in numbered(3)])
        consumer = await broker.consume(queue, held, prefetch=3)
        await held.take(3)
        await consumer.cancel()
        await broker.consume(queue, received, prefetch=3, concurrency=1)
        again = await received.take(3)
        assert [(one.message.body["n"], one.delivery_count) for one in again] == [(0, 1), (1, 1), (2, 1)]

    async def test_settling_after_cancel_changes_nothing(self, server: BrokerServer, broker: Broker) -> None:
        queue, held = await server.queue(broker), Recorder(ack=False)
        await broker.publish(queue, Message(body={}))
        consumer = await broker.consume(queue, held, prefetch=1)
        delivery = await held.next()
        await consumer.cancel()
        assert delivery.lost
        await delivery.ack()
        await eventually(lambda: depth_is(broker, queue, 1))

    async def test_handlers_are_cancelled_when_draining_takes_too_long(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, handler = await server.queue(broker), Gated()
        consumer = await broker.consume(queue, handler, prefetch=1)
        await broker.publish(queue, Message(body={}))
        await handler.begun.wait()
        await consumer.cancel(drain_s=0.01)
        assert handler.cancelled
        await eventually(lambda: depth_is(broker, queue, 1))

    async def test_handler_may_cancel_its_own_consumer(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        consumers: list[Consumer] = []

        async def cancel(deliveries: list[Delivery]) -> None:
            for delivery in deliveries:
                await delivery.ack()
            await consumers[0].cancel()
            await received([])
            done.set()

        done = asyncio.Event()
        consumers.append(await broker.consume(queue, cancel, prefetch=1))
        await broker.publish(queue, Message(body={}))
        async with asyncio.timeout(PATIENCE_S):
            await done.wait()
        assert await broker.depth(queue) == 0

    async def test_cancel_is_idempotent(self, server: BrokerServer, broker: Broker) -> None:
        consumer = await broker.consume(await server.queue(broker), Recorder(), prefetch=1)
        await consumer.cancel()
        await consumer.cancel()
        assert not consumer.running


class TestClose:
    async def test_close_drains_the_handlers(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = await server.queue(broker), Gated()
        await broker.consume(queue, handler, prefetch=1)
        await broker.publish(queue, Message(body={}))
        await handler.begun.wait()
        closing = asyncio.create_task(broker.close())
        handler.gate.set()
        await closing
        assert (handler.done, broker.connected) == (True, False)
        assert await (await server.client()).depth(queue) == 0

    async def test_handlers_may_publish_while_draining(self, server: BrokerServer, broker: Broker) -> None:
        queue, other, begun, gate = (
            await server.queue(broker),
            await server.queue(broker),
            asyncio.Event(),
            asyncio.Event(),
        )

        async def forward(deliveries: list[Delivery]) -> None:
            begun.set()
            await gate.wait()
            await broker.publish(other, deliveries[0].message)
            await deliveries[0].ack()

        await broker.consume(queue, forward, prefetch=1)
        await broker.publish(queue, Message(body={}))
        await begun.wait()
        closing = asyncio.create_task(broker.close())
        gate.set()
        await closing
        assert await (await server.client()).depth(other) == 1

    async def test_close_is_idempotent(self, broker: Broker) -> None:
        await broker.close()
        await broker.close()
        assert not broker.connected


async def depth_is(broker: Broker, queue: str, expected: int) -> bool:
    return await broker.depth(queue) == expected
