import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest

from bongsu.broker import Broker, BrokerUnavailable, Message, PublishError, QueueSpec
from bongsu.mixins import Database, utc_now
from bongsu.outbox import NewMessage, append, append_many, postpone, settle
from bongsu.outbox.models import OutboxMessage
from bongsu.outbox.publisher import Publisher
from bongsu.outbox.relay import Relay
from shared.tests.broker.servers import CuttableBroker, RabbitServer
from shared.tests.outbox.brokers import CountingBroker, EagerBroker, HangingBroker, SilentBroker, numbers
from shared.tests.outbox.conftest import QUEUE
from shared.tests.outbox.rows import append_some, due_in_s, let_time_pass, only_row, row_count
from tests.eventually import eventually

LONG_S = 60.0


class StuckBroker(CountingBroker):
    """Hangs before it publishes: where a publisher is when it is killed between its commit and its publish."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()

    async def publish_many(
        self,
        items: Sequence[tuple[str, Message]],
        *,
        timeout_s: float = 5.0,
    ) -> list[PublishError | None]:
        del items, timeout_s
        self.is_asked.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


@asynccontextmanager
async def publishing(database: Database, broker: Broker, *, mark_every_s: float = 0.01) -> AsyncIterator[None]:
    publisher = Publisher(database, broker, claim_s=LONG_S, mark_every_s=mark_every_s, rest_s=LONG_S)
    async with publisher.run(drain_s=LONG_S):
        yield


@asynccontextmanager
async def killed(
    database: Database, broker: Broker, at: asyncio.Event, *, max_waiting: int = 100
) -> AsyncIterator[None]:
    """Kill the publisher when it has reached a point, without its last words."""
    async with Publisher(database, broker, claim_s=LONG_S, max_waiting=max_waiting).run(drain_s=0):
        yield
        await at.wait()


async def _is_marked() -> bool:
    return await OutboxMessage.filter_by(published_at__isnull=False, claimed_until=None).exists()


class TestPublish:
    async def test_committed_message_is_published_without_a_relay(
        self, database: Database, counting: CountingBroker
    ) -> None:
        async with publishing(database, counting):
            (row_id,) = await append_some(database, 1)
            await eventually(_is_marked)
        assert [message.id for message in counting.published] == [str(row_id)]
        assert await due_in_s(row_id) == 60

    async def test_messages_of_one_statement_are_published(self, database: Database, counting: CountingBroker) -> None:
        async def append_three() -> None:
            read = await OutboxMessage.filter_by(attempts=0).aggregate(count=("count", "id"), now=utc_now())
            messages = [NewMessage(QUEUE, {"n": n}, 0) for n in range(2)]
            await append_many([*messages, NewMessage(QUEUE, {"n": 2}, 0, at=read["now"])], now=read["now"])

        async with publishing(database, counting):
            await database.run(append_three)
            await eventually(_is_marked)
            assert await Relay(database, counting).turn() == 1
        assert numbers(counting) == [0, 1, 2]

    async def test_message_is_not_published_when_its_transaction_fails(
        self, database: Database, counting: CountingBroker
    ) -> None:
        async with publishing(database, counting):
            with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block rolls back
                async with database.unit():
                    await append(QUEUE, {"n": 0})
                    raise ZeroDivisionError
        assert counting.published == []

    async def test_backlog_is_not_published_again(self, database: Database, counting: CountingBroker) -> None:
        async with publishing(database, counting):
            await append_some(database, 3)
            await eventually(lambda: _count_marked(3))
            await let_time_pass(50)
            assert await Relay(database, counting).turn() == 0
        assert numbers(counting) == [0, 1, 2]

    async def test_lost_message_is_published_again_by_the_relay(
        self, database: Database, counting: CountingBroker
    ) -> None:
        async with publishing(database, counting):
            await append_some(database, 1)
            await eventually(_is_marked)
            counting.hub.queues[QUEUE].ready.clear()
            await let_time_pass(61)
            await Relay(database, counting).turn()
        assert numbers(counting) == [0, 0]

    async def test_everything_is_published_and_marked_at_the_end(
        self, database: Database, counting: CountingBroker
    ) -> None:
        async with publishing(database, counting, mark_every_s=LONG_S):
            await append_some(database, 3)
        assert numbers(counting) == [0, 1, 2]
        assert await _count_marked(3)


class TestLeftToTheRelay:
    @pytest.mark.parametrize(
        ("lane", "delay_s"), [(2, 0.0), (1, 30.0)], ids=["the lane that it paces", "a scheduled message"]
    )
    async def test_row_is_not_claimed_when_it_is_the_relays(
        self, database: Database, counting: CountingBroker, lane: int, delay_s: float
    ) -> None:
        async with publishing(database, counting):
            async with database.unit():
                row_id = await append(QUEUE, {"n": 0}, lane=lane, delay_s=delay_s)
            assert await due_in_s(row_id) == delay_s
            assert (await only_row()).claimed_until is None
        assert counting.published == []

    async def test_row_is_due_when_the_broker_is_unavailable(self, database: Database, broker: CuttableBroker) -> None:
        broker.cut()
        async with publishing(database, broker):
            (row_id,) = await append_some(database, 1)
            assert await due_in_s(row_id) == 0
            assert (await only_row()).claimed_until is None

    async def test_row_is_due_when_more_messages_wait_than_the_limit(self, database: Database) -> None:
        broker = StuckBroker()
        await broker.connect()
        async with killed(database, broker, broker.is_asked, max_waiting=2):
            await append_some(database, 1)
            await broker.is_asked.wait()
            for _ in range(4):
                await append_some(database, 1)
            assert await OutboxMessage.filter_by(claimed_until__isnull=False).count() == 1 + 2

    async def test_row_is_due_immediately_when_its_confirm_fails(self, database: Database) -> None:
        broker = SilentBroker()
        await broker.connect()

        async def is_released() -> bool:
            return (await only_row()).claimed_until is None

        async with publishing(database, broker):
            (row_id,) = await append_some(database, 1)
            await eventually(is_released)
            assert await due_in_s(row_id) == 0
            # And the next ones are not even tried, for a while.
            (next_id,) = await append_some(database, 1)
            assert await due_in_s(next_id) == 0

    async def test_others_are_marked_when_one_is_refused(self, database: Database, broker: CuttableBroker) -> None:
        async with publishing(database, broker):
            async with database.unit():
                missing = await append("no-such-queue", {"n": 0})
                await append(QUEUE, {"n": 1})
            await eventually(_is_marked)
        row = await OutboxMessage.get(missing)
        assert (row.claimed_until, row.published_at) == (None, None)


class TestKilled:
    async def test_message_is_published_by_the_relay_when_the_process_dies_before_its_publish(
        self, database: Database, counting: CountingBroker
    ) -> None:
        broker = StuckBroker()
        await broker.connect()
        async with killed(database, broker, broker.is_asked):
            await append_some(database, 1)
        assert await Relay(database, counting).turn() == 0
        await let_time_pass(LONG_S)
        assert await Relay(database, counting).turn() == 1
        assert numbers(counting) == [0]

    async def test_message_is_published_twice_and_settled_when_the_process_dies_before_its_mark(
        self, database: Database
    ) -> None:
        broker = HangingBroker()
        await broker.connect()
        await broker.declare(QueueSpec(QUEUE))
        async with killed(database, broker, broker.has_published):
            await append_some(database, 1)
        counting = CountingBroker()
        counting.hub = broker.hub
        await counting.connect()
        await let_time_pass(LONG_S)
        assert await Relay(database, counting).turn() == 1
        assert await counting.depth(QUEUE) == 2
        (sent,) = {message.id for message in (*broker.published, *counting.published)}
        assert await settle([UUID(sent)]) == 1
        assert await row_count() == 0


class TestConsumedBeforeTheMark:
    async def test_settled_row_stays_deleted(self, database: Database) -> None:
        async def consume(row_id: UUID) -> None:
            await settle([row_id])

        await self._publish(database, EagerBroker(consume))
        assert await row_count() == 0

    async def test_postponed_row_keeps_its_time(self, database: Database) -> None:
        async def consume(row_id: UUID) -> None:
            await postpone({row_id: 5.0})

        await self._publish(database, EagerBroker(consume))
        row = await only_row()
        assert (row.published_at, row.claimed_until) == (None, None)
        assert await due_in_s(row.id) == 5

    @staticmethod
    async def _publish(database: Database, broker: EagerBroker) -> None:
        await broker.connect()
        await broker.declare(QueueSpec(QUEUE))
        async with publishing(database, broker):
            await append_some(database, 1)
        assert len(broker.published) == 1


class TestRabbit:
    async def test_message_reaches_the_queue(self, database: Database, rabbit: RabbitServer) -> None:
        broker = await rabbit.client()
        queue = await rabbit.queue(broker)
        async with publishing(database, broker):
            await append_some(database, 3, queue=queue)
            await eventually(lambda: _count_marked(3))
        await eventually(lambda: _has_depth(broker, queue, 3))

    async def test_rows_are_the_relays_when_the_connection_is_cut(
        self, database: Database, rabbit: RabbitServer
    ) -> None:
        broker = await rabbit.client()
        queue = await rabbit.queue(broker)
        async with publishing(database, broker):
            rabbit.cut()
            for _ in range(20):  # before and after the client notices
                await append_some(database, 1, queue=queue)
            await eventually(_is_nothing_claimed)
            rabbit.restore()
            await eventually(lambda: broker.connected)
            relay = Relay(database, broker)
            await eventually(lambda: _turn_until(relay, 20))
        await eventually(lambda: _has_depth(broker, queue, 20))


async def _count_marked(count: int) -> bool:
    return await OutboxMessage.filter_by(published_at__isnull=False, claimed_until=None).count() == count


async def _is_nothing_claimed() -> bool:
    return not await OutboxMessage.filter_by(claimed_until__isnull=False).exists()


async def _turn_until(relay: Relay, count: int) -> bool:
    with suppress(BrokerUnavailable):
        await relay.turn()
    return await _count_marked(count)


async def _has_depth(broker: Broker, queue: str, count: int) -> bool:
    try:
        return await broker.depth(queue) >= count
    except BrokerUnavailable:
        return False
