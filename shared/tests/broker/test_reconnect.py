import asyncio

from bongsu.broker import Broker, Delivery, Message, PublishError, QueueSpec
from shared.tests.broker.recorder import PATIENCE_S, Recorder, TopicRecorder, numbered
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually


async def reconnect(server: BrokerServer, *brokers: Broker) -> None:
    server.cut()
    await eventually(lambda: not any(broker.connected for broker in brokers))
    server.restore()
    await eventually(lambda: all(broker.connected for broker in brokers))


class TestConnected:
    async def test_connected_follows_the_connection(self, server: BrokerServer, broker: Broker) -> None:
        assert broker.connected
        server.cut()
        await eventually(lambda: not broker.connected)
        server.restore()
        await eventually(lambda: broker.connected)
        assert broker.connected


class TestReconnect:
    async def test_publishing_works_again(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        await reconnect(server, broker)
        await broker.publish(queue, Message(body={}))
        assert await broker.depth(queue) == 1

    async def test_consumers_are_restored(self, server: BrokerServer, broker: Broker) -> None:
        queues, received = [await server.queue(broker) for _ in range(3)], Recorder()
        consumers = [await broker.consume(queue, received, prefetch=2) for queue in queues]
        await reconnect(server, broker)
        await eventually(lambda: all(consumer.running for consumer in consumers))
        await broker.publish_many([(queue, Message(body={})) for queue in queues])
        assert {delivery.queue for delivery in await received.take(3)} == set(queues)

    async def test_unsettled_messages_are_redelivered_and_counted(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder(ack=False)
        await broker.publish_many([(queue, message) for message in numbered(3)])
        await broker.consume(queue, received, prefetch=3)
        before = await received.take(3)
        await reconnect(server, broker)
        after = await received.take(3)
        assert sorted(str(one.message.body["n"]) for one in after) == ["0", "1", "2"]
        assert [one.delivery_count for one in after] == [1, 1, 1]
        assert [one.lost for one in before + after] == [True] * 3 + [False] * 3

    async def test_acknowledgement_of_a_lost_delivery_settles_no_other(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, received = await server.queue(broker), Recorder(ack=False)
        await broker.publish_many([(queue, message) for message in numbered(3)])
        consumer = await broker.consume(queue, received, prefetch=3)
        before = await received.take(3)
        await reconnect(server, broker)
        await received.take(3)
        for delivery in before:
            await delivery.ack()
        await consumer.cancel()

        async def all_are_back() -> bool:
            return await broker.depth(queue) == 3

        await eventually(all_are_back)

    async def test_waiting_batches_are_discarded_when_the_connection_is_lost(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, received, gate = await server.queue(broker), Recorder(), asyncio.Event()
        running = asyncio.Event()

        async def handle(deliveries: list[Delivery]) -> None:
            running.set()
            await gate.wait()
            await received([delivery for delivery in deliveries if not delivery.lost])

        await broker.publish_many([(queue, message) for message in numbered(4)])
        consumer = await broker.consume(queue, handle, prefetch=4, concurrency=1)
        await running.wait()
        await reconnect(server, broker)
        await eventually(lambda: consumer.running)
        gate.set()
        assert sorted(str(body["n"]) for body in await received.bodies(4)) == ["0", "1", "2", "3"]
        await consumer.cancel()
        assert received.count == 4

    async def test_consumer_can_be_cancelled_while_disconnected(self, server: BrokerServer, broker: Broker) -> None:
        queue = await server.queue(broker)
        consumer = await broker.consume(queue, Recorder(), prefetch=3)
        server.cut()
        await eventually(lambda: not broker.connected)
        async with asyncio.timeout(PATIENCE_S):
            await consumer.cancel()
        server.restore()
        await eventually(lambda: broker.connected)
        await broker.publish(queue, Message(body={}))

        async def is_left_in_the_queue() -> bool:
            return await broker.depth(queue) == 1

        # The server may first deliver it to the lost connection.
        await eventually(is_left_in_the_queue)

    async def test_consumer_starts_later_when_it_is_made_while_disconnected(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue, received = await server.queue(broker), Recorder()
        server.cut()
        await eventually(lambda: not broker.connected)
        await broker.consume(queue, received, prefetch=3)
        server.restore()
        await eventually(lambda: broker.connected)
        await broker.publish(queue, Message(body={}))
        await received.next()

    async def test_subscriptions_are_restored(self, server: BrokerServer, broker: Broker) -> None:
        topic, received, other = server.name("events"), TopicRecorder(), await server.client()
        subscription = await broker.subscribe(topic, received)
        await reconnect(server, broker, other)
        await eventually(lambda: subscription.running)
        await other.broadcast(topic, Message(body={"n": 1}))
        assert (await received.next()).body == {"n": 1}

    async def test_calls_are_answered_again(self, server: BrokerServer, broker: Broker) -> None:
        queue, caller = server.name("rpc"), await server.client()

        async def answer(request: Message) -> dict[str, object]:
            return {"echo": request.body}

        serving = await broker.serve(queue, answer)  # type: ignore[arg-type] # a dict of objects that are JSON
        await caller.call(queue, Message(body={"n": 1}), deadline_s=PATIENCE_S)
        await reconnect(server, broker, caller)
        await eventually(lambda: serving.running)

        async def answered() -> bool:
            try:
                return await caller.call(queue, Message(body={"n": 2}), deadline_s=PATIENCE_S) == {"echo": {"n": 2}}
            except PublishError:  # its inbox is not open again yet
                return False

        await eventually(answered)

    async def test_deleted_queue_is_consumed_again(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker), Recorder()
        consumer = await broker.consume(queue, received, prefetch=3)
        await server.delete(queue)
        await eventually(lambda: not consumer.running)
        await broker.declare(QueueSpec(queue))
        await eventually(lambda: consumer.running)
        await broker.publish(queue, Message(body={"n": 1}))
        assert (await received.next()).message.body == {"n": 1}

    async def test_nothing_confirmed_is_lost_through_repeated_cuts(self, server: BrokerServer, broker: Broker) -> None:
        queue, received = await server.queue(broker, delivery_limit=1000), Recorder()
        other = await server.client()
        consumer = await other.consume(queue, received, prefetch=10, batch_max=5)
        confirmed = set[str]()

        async def publish_all() -> None:
            for n in range(150):
                for attempt in range(1000):
                    try:
                        await broker.publish(queue, Message(body={}, id=f"{n}.{attempt}"))
                    except PublishError:
                        await asyncio.sleep(0.02)
                    else:
                        confirmed.add(f"{n}.{attempt}")
                        break

        publishing = asyncio.create_task(publish_all())
        for goal in (30, 60, 90):
            await eventually(lambda goal=goal: len(confirmed) >= goal)  # type: ignore[misc] # mypy infers no lambda with a default
            await reconnect(server, broker, other)
        await publishing
        await eventually(lambda: confirmed <= {one.message.id for batch in received.batches for one in batch})
        await consumer.cancel()
