import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import pytest

from bongsu.broker import BrokerUnavailable, QueueSpec
from bongsu.broker.memory import MemoryBroker
from bongsu.mixins import Database
from bongsu.outbox import postpone, settle
from bongsu.outbox.models import OutboxMessage
from bongsu.outbox.relay import Relay
from shared.tests.outbox.brokers import CountingBroker, EagerBroker, HangingBroker, numbers
from shared.tests.outbox.conftest import QUEUE
from shared.tests.outbox.rows import append_some, due_in_s, let_time_pass, only_row, row_count


class TestStranded:
    async def test_message_that_the_broker_lost_is_published_again(
        self, database: Database, counting: CountingBroker
    ) -> None:
        await append_some(database, 2)
        relay = Relay(database, counting)
        await relay.turn()
        counting.hub.find(QUEUE).ready.clear()
        await let_time_pass(61)
        assert await relay.turn() == 2
        assert numbers(counting) == [0, 1, 0, 1]

    async def test_message_is_checked_less_often_each_time_it_is_lost(
        self, database: Database, counting: CountingBroker
    ) -> None:
        (row_id,) = await append_some(database, 1)
        relay, waits = Relay(database, counting), []
        for wait_s in (60, 120, 240):
            await relay.turn()
            waits.append(await due_in_s(row_id))
            counting.hub.find(QUEUE).ready.clear()
            await let_time_pass(wait_s)
        assert waits == [60, 120, 240]

    async def test_message_is_not_published_again_when_it_waits_in_its_queue(
        self, database: Database, counting: CountingBroker
    ) -> None:
        (row_id, _) = await append_some(database, 2)
        relay = Relay(database, counting)
        await relay.turn()
        await let_time_pass(61)
        assert await relay.turn() == 2
        assert (numbers(counting), await due_in_s(row_id)) == ([0, 1], 60)

    async def test_backlog_of_a_queue_is_deferred_with_its_first_message(
        self, database: Database, counting: CountingBroker
    ) -> None:
        await append_some(database, 12)
        relay = Relay(database, counting, batch=4)
        for _ in range(3):
            await relay.turn()
        await let_time_pass(61)
        (new,) = await append_some(database, 1)
        assert [await relay.turn(), await relay.turn()] == [4, 1]
        assert numbers(counting) == [*range(12), 0]
        assert await OutboxMessage.filter_by(id=new, published_at__isnull=False).exists()

    async def test_backlog_is_not_deferred_when_it_was_published_long_ago(
        self, database: Database, counting: CountingBroker
    ) -> None:
        await append_some(database, 1)
        relay = Relay(database, counting, batch=1)
        await relay.turn()
        await let_time_pass(850)
        await append_some(database, 1)
        await relay.turn()
        await let_time_pass(61)
        assert [await relay.turn() for _ in range(3)] == [1, 1, 0]
        assert numbers(counting) == [0, 0, 0]

    async def test_message_is_published_again_when_it_was_published_long_ago(
        self, database: Database, counting: CountingBroker
    ) -> None:
        await append_some(database, 1)
        relay = Relay(database, counting)
        await relay.turn()
        await let_time_pass(901)
        await relay.turn()
        assert numbers(counting) == [0, 0]

    async def test_new_message_is_published_when_checking_an_old_one_fails(
        self, database: Database, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def lost(queue: str) -> int:
            raise BrokerUnavailable(f"No answer about {queue}")

        relay = Relay(database, broker)
        await append_some(database, 1)
        await relay.turn()
        await let_time_pass(61)
        (new,) = await append_some(database, 1)
        monkeypatch.setattr(broker, "depth", lost)
        with pytest.raises(BrokerUnavailable):
            await relay.turn()
        assert await OutboxMessage.filter_by(id=new, published_at__isnull=False).exists()

    async def test_message_of_a_deleted_queue_is_published_again(
        self, database: Database, counting: CountingBroker
    ) -> None:
        await append_some(database, 1)
        relay = Relay(database, counting)
        await relay.turn()
        counting.hub.delete(QUEUE)
        await counting.declare(QueueSpec(QUEUE))
        await let_time_pass(61)
        await relay.turn()
        assert await counting.depth(QUEUE) == 1

    async def test_message_of_a_killed_relay_is_published_by_another(
        self, database: Database, counting: CountingBroker
    ) -> None:
        broker = HangingBroker()
        broker.hub = counting.hub
        await broker.connect()
        ids = await append_some(database, 2)
        killed = asyncio.create_task(Relay(database, broker).turn())
        await broker.has_published.wait()
        killed.cancel()
        with suppress(asyncio.CancelledError):
            await killed
        assert await Relay(database, counting).turn() == 0, "it is claimed still"
        await let_time_pass(31)
        await Relay(database, counting).turn()
        assert numbers(broker) == numbers(counting) == [0, 1]
        assert {message.id for message in counting.published} == {str(one) for one in ids}


class TestConsumerThatIsFaster:
    """A consumer may be done before the relay has marked what it published."""

    async def test_settled_row_is_not_restored(self, database: Database) -> None:
        async def consume(row_id: UUID) -> None:
            async with database.unit():
                await settle([row_id])

        await append_some(database, 1)
        broker = await consuming_broker(consume)
        await Relay(database, broker).turn()
        assert await row_count() == 0

    async def test_postponed_row_is_not_changed(self, database: Database) -> None:
        async def consume(row_id: UUID) -> None:
            async with database.unit():
                await postpone({row_id: 5})

        (row_id,) = await append_some(database, 1)
        broker = await consuming_broker(consume)
        await Relay(database, broker).turn()
        assert ((await only_row()).published_at, await due_in_s(row_id)) == (None, 5)


async def consuming_broker(consume: Callable[[UUID], Awaitable[None]]) -> EagerBroker:
    broker = EagerBroker(consume)
    await broker.connect()
    await broker.declare(QueueSpec(QUEUE))
    return broker
