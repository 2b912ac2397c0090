"""Tests of the in-memory adapter alone. The suite that both adapters share is in the files beside this one."""

import asyncio

from bongsu.broker import Message, QueueSpec
from bongsu.broker.memory import MemoryBroker, MemoryHub
from shared.tests.broker.recorder import Recorder
from tests.eventually import eventually


class TestMemoryHub:
    async def test_messages_outlive_the_client(self) -> None:
        hub = MemoryHub()
        one, two = MemoryBroker(hub), MemoryBroker(hub)
        await one.connect()
        await one.declare(QueueSpec("jobs"))
        await one.publish("jobs", Message(body={}))
        await one.close()
        await two.connect()
        assert await two.depth("jobs") == 1

    async def test_clients_of_different_hubs_share_no_queues(self) -> None:
        one, two = MemoryBroker(), MemoryBroker()
        await one.connect()
        await two.connect()
        await one.declare(QueueSpec("jobs"))
        assert "jobs" not in two.hub.queues


class TestPublish:
    async def test_body_is_a_copy(self) -> None:
        broker, received = MemoryBroker(), Recorder()
        await broker.connect()
        await broker.declare(QueueSpec("jobs"))
        message = Message(body={"list": [1]})
        await broker.publish("jobs", message)
        message.body["list"] = "changed"
        await broker.consume("jobs", received, prefetch=1)
        assert (await received.next()).message.body == {"list": [1]}
        await broker.close()

    async def test_other_tasks_run_while_messages_are_published(self) -> None:
        broker, turns = MemoryBroker(), 0
        await broker.connect()
        await broker.declare(QueueSpec("jobs"))

        async def take_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(take_turns())
        for _ in range(100):
            await broker.publish("jobs", Message(body={}))
        assert turns >= 99
        await broker.publish_many([("jobs", Message(body={}))] * 1000)
        assert turns >= 110
        other.cancel()


class TestConsume:
    async def test_idle_consumer_does_nothing(self) -> None:
        broker, received = MemoryBroker(), Recorder()
        await broker.connect()
        await broker.declare(QueueSpec("jobs"))
        await broker.consume("jobs", received, prefetch=5, batch_max=5)
        await broker.publish("jobs", Message(body={}))
        await received.next()
        loop = asyncio.get_running_loop()
        await eventually(lambda: len(asyncio.all_tasks()) == 1)
        assert not [handle for handle in getattr(loop, "_scheduled", ()) if not handle.cancelled()]
        await broker.close()
