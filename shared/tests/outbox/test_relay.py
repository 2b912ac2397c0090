import asyncio
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from bongsu.broker import BrokerUnavailable, Delivery, Message, QueueSpec
from bongsu.mixins import Database
from bongsu.outbox import append, release, settle
from bongsu.outbox.relay import Relay
from shared.tests.broker.recorder import Recorder
from shared.tests.broker.servers import CuttableBroker
from shared.tests.outbox.brokers import CountingBroker, HangingBroker, SilentBroker, numbers
from shared.tests.outbox.conftest import QUEUE
from shared.tests.outbox.rows import append_some, due_in_s, let_time_pass, only_row, row_count
from tests.eventually import eventually


class TestTurn:
    async def test_message_is_published_as_it_was_appended(self, database: Database, broker: CuttableBroker) -> None:
        async with database.unit():
            row_id = await append(QUEUE, {"text": "안녕 👋"}, headers={"trace": "t-1"})
        assert await Relay(database, broker).turn() == 1
        received = Recorder()
        await broker.consume(QUEUE, received, prefetch=1)
        assert (await received.next()).message == Message(
            id=str(row_id), body={"text": "안녕 👋"}, headers={"trace": "t-1"}
        )

    async def test_published_message_is_not_published_again(self, database: Database, counting: CountingBroker) -> None:
        await append_some(database, 3)
        relay = Relay(database, counting)
        assert [await relay.turn(), await relay.turn()] == [3, 0]
        assert numbers(counting) == [0, 1, 2]

    async def test_confirmed_row_is_marked_and_due_later(self, database: Database, broker: CuttableBroker) -> None:
        (row_id,) = await append_some(database, 1)
        await Relay(database, broker).turn()
        row = await only_row()
        assert row.published_at is not None
        assert (row.claimed_until, row.attempts, await due_in_s(row_id)) == (None, 0, 60)

    async def test_urgent_lanes_go_first(self, database: Database, counting: CountingBroker) -> None:
        for lane in (2, 1, 0):
            async with database.unit():
                for n in range(2):
                    await append(QUEUE, {"n": f"{lane}.{n}"}, lane=lane)
        relay = Relay(database, counting, batch=4)
        assert [await relay.turn(), await relay.turn()] == [4, 2]
        assert numbers(counting) == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1"]

    async def test_message_is_not_published_before_its_time(self, database: Database, counting: CountingBroker) -> None:
        async with database.unit():
            await append(QUEUE, {"n": 1}, delay_s=60)
        relay = Relay(database, counting)
        assert await relay.turn() == 0
        await let_time_pass(60)
        assert await relay.turn() == 1

    async def test_no_message_is_claimed_when_the_broker_is_unavailable(
        self, database: Database, broker: CuttableBroker
    ) -> None:
        (row_id,) = await append_some(database, 1)
        broker.cut()
        with pytest.raises(BrokerUnavailable):
            await Relay(database, broker).turn()
        row = await only_row()
        assert (row.claimed_until, row.attempts, await due_in_s(row_id)) == (None, 0, 0)

    async def test_unconfirmed_message_is_published_again_soon(self, database: Database) -> None:
        (row_id,) = await append_some(database, 1)
        broker = SilentBroker()
        await broker.connect()
        assert await Relay(database, broker).turn() == 0
        row = await only_row()
        assert (row.published_at, row.claimed_until, row.attempts) == (None, None, 0)
        assert await due_in_s(row_id) == 1

    async def test_unroutable_message_is_retried_with_growing_pauses(
        self, database: Database, broker: CuttableBroker
    ) -> None:
        (row_id,) = await append_some(database, 1, queue="nowhere")
        relay, pauses = Relay(database, broker), []
        for _ in range(5):
            assert await relay.turn() == 1
            pauses.append(await due_in_s(row_id))
            await let_time_pass(60)
        row = await only_row()
        assert pauses == [1, 5, 15, 60, 60]
        assert (row.published_at, row.claimed_until, row.attempts) == (None, None, 5)

    async def test_attempts_are_reset_by_a_confirm(self, database: Database, broker: CuttableBroker) -> None:
        await append_some(database, 1, queue="later")
        relay = Relay(database, broker)
        await relay.turn()
        await broker.declare(QueueSpec("later"))
        await let_time_pass(60)
        await relay.turn()
        assert (await only_row()).attempts == 0

    async def test_deleted_queue_is_declared_again(self, database: Database, broker: CuttableBroker) -> None:
        await append_some(database, 1)
        broker.hub.delete(QUEUE)
        relay = Relay(database, broker, queues=[QueueSpec(QUEUE)])
        await relay.turn()
        await let_time_pass(60)
        await relay.turn()
        assert await broker.depth(QUEUE) == 1

    async def test_other_messages_are_published_when_one_is_refused(
        self, database: Database, counting: CountingBroker
    ) -> None:
        await append_some(database, 2, queue="nowhere")
        await append_some(database, 2)
        assert await Relay(database, counting).turn() == 4
        assert numbers(counting) == [0, 1]

    async def test_repeated_failure_is_logged_once_a_minute(
        self, database: Database, broker: CuttableBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logged: list[str] = []
        monkeypatch.setattr("bongsu.outbox.relay.log.warning", lambda event, **_: logged.append(event), raising=False)
        await append_some(database, 5, queue="nowhere")
        relay = Relay(database, broker)
        await relay.turn()
        await let_time_pass(60)
        await relay.turn()
        assert logged == ["outbox.not_published"]


class TestSeveralRelays:
    async def test_no_message_is_published_twice(self, database: Database, counting: CountingBroker) -> None:
        for _ in range(5):
            await append_some(database, 100)

        async def relay_all() -> None:
            relay = Relay(database, counting, batch=20)
            while await relay.turn():
                pass

        await asyncio.gather(*(relay_all() for _ in range(3)))
        ids = [message.id for message in counting.published]
        assert (len(ids), len(set(ids))) == (500, 500)


class TestRunning:
    async def test_committed_message_is_published_soon(self, database: Database, broker: CuttableBroker) -> None:
        received = Recorder()
        await broker.consume(QUEUE, received, prefetch=1)
        async with Relay(database, broker).run():
            await append_some(database, 1)
            assert (await received.next()).message.body == {"n": 0}

    async def test_message_of_another_process_is_found_without_a_nudge(
        self, database: Database, broker: CuttableBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bongsu.outbox.service.nudge", lambda: None)
        received = Recorder()
        await broker.consume(QUEUE, received, prefetch=1)
        async with Relay(database, broker).run():
            await append_some(database, 1)
            await received.next()

    async def test_relay_continues_when_the_broker_is_back(self, database: Database, broker: CuttableBroker) -> None:
        received = Recorder()
        await broker.consume(QUEUE, received, prefetch=1)
        async with Relay(database, broker).run():
            broker.cut()
            await append_some(database, 1)
            assert (await only_row()).attempts == 0
            broker.restore()
            assert (await received.next()).message.body == {"n": 0}

    async def test_relay_survives_a_defect(
        self, database: Database, broker: CuttableBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        received, relay = Recorder(), Relay(database, broker)
        failures = [ValueError("a defect")]
        turn = relay.turn

        async def fail_once() -> int:
            if failures:
                raise failures.pop()
            return await turn()

        monkeypatch.setattr(relay, "turn", fail_once)
        await broker.consume(QUEUE, received, prefetch=1)
        async with relay.run():
            await append_some(database, 1)
            await received.next()

    async def test_relay_continues_when_the_database_stops_responding(
        self, database: Database, broker: CuttableBroker
    ) -> None:
        received, relay = Recorder(), Relay(database, broker, turn_timeout_s=0.05)
        vanished = [True]
        turn = relay.turn

        async def hang_once() -> int:
            if vanished:
                vanished.clear()
                relay._turn_timeout_s = 60  # for the turns that work
                await asyncio.Event().wait()
            return await turn()

        setattr(relay, "turn", hang_once)  # noqa: B010 - mypy lets no method be assigned
        await broker.consume(QUEUE, received, prefetch=1)
        async with relay.run():
            await append_some(database, 1)
            await received.next()

    async def test_end_waits_for_publishes_in_flight(self, database: Database, counting: CountingBroker) -> None:
        await append_some(database, 50)
        async with Relay(database, counting).run():
            await eventually(lambda: counting.published != [])
        row_ids = {message.id for message in counting.published}
        assert len(row_ids) == 50
        assert await Relay(database, counting).turn() == 0

    async def test_end_stops_waiting_after_the_drain_time(self, database: Database) -> None:
        broker = HangingBroker()
        await broker.connect()
        await broker.declare(QueueSpec(QUEUE))
        await append_some(database, 1)
        async with asyncio.timeout(60), Relay(database, broker).run(drain_s=0.05):
            await broker.has_published.wait()

    async def test_messages_of_a_killed_process_are_published_after_release(
        self, database: Database, counting: CountingBroker
    ) -> None:
        broker = HangingBroker()
        await broker.connect()
        await broker.declare(QueueSpec(QUEUE))
        await append_some(database, 3)
        await Relay(database, counting, batch=1).turn()
        async with Relay(database, broker).run(drain_s=0):
            await broker.has_published.wait()
        counting.hub.find(QUEUE).ready.clear()
        async with database.unit():
            assert await release() == 3
        await Relay(database, counting).turn()
        assert await counting.depth(QUEUE) == 3


class TestWholeWay:
    async def test_every_message_is_consumed_once_and_settled(self, database: Database, broker: CuttableBroker) -> None:
        seen: list[str] = []

        async def handle(deliveries: list[Delivery]) -> None:
            async with database.unit():
                await settle([UUID(delivery.message.id) for delivery in deliveries])
            for delivery in deliveries:
                seen.append(delivery.message.id)
                await delivery.ack()

        await broker.consume(QUEUE, handle, prefetch=40, batch_max=20, concurrency=2)
        async with Relay(database, broker).run():
            ids = [one for _ in range(10) for one in await append_some(database, 20)]

            async def all_settled() -> bool:
                return await row_count() == 0

            await eventually(all_settled)
        assert sorted(seen) == sorted(str(one) for one in ids)


class TestMeasure:
    async def test_pending_rows_and_their_age_are_measured_by_lane(
        self, database: Database, broker: CuttableBroker
    ) -> None:
        registry = CollectorRegistry()
        relay = Relay(database, broker, registry=registry)
        await append_some(database, 3, lane=2)
        await let_time_pass(40)
        await relay.measure()
        assert registry.get_sample_value("outbox_pending_messages", {"lane": "2"}) == 3
        assert registry.get_sample_value("outbox_pending_messages", {"lane": "0"}) == 0
        assert (registry.get_sample_value("outbox_oldest_pending_age_seconds", {"lane": "2"}) or 0) >= 39
        await relay.turn()
        await relay.measure()
        assert registry.get_sample_value("outbox_pending_messages", {"lane": "2"}) == 0
        assert registry.get_sample_value("outbox_published_total", {"queue": QUEUE}) == 3

    async def test_published_messages_are_not_pending(self, database: Database, broker: CuttableBroker) -> None:
        registry = CollectorRegistry()
        relay = Relay(database, broker, registry=registry)
        await append_some(database, 1)
        await relay.turn()
        await let_time_pass(61)
        await relay.measure()
        assert registry.get_sample_value("outbox_pending_messages", {"lane": "1"}) == 0

    async def test_refusals_and_losses_are_counted(self, database: Database, broker: CuttableBroker) -> None:
        registry = CollectorRegistry()
        relay = Relay(database, broker, registry=registry)
        await append_some(database, 2, queue="nowhere")
        await append_some(database, 1)
        await relay.turn()
        broker.hub.find(QUEUE).ready.clear()
        await let_time_pass(61)
        await relay.turn()
        refused = {"queue": "nowhere", "reason": "Unroutable"}
        assert registry.get_sample_value("outbox_refused_total", refused) == 4
        assert registry.get_sample_value("outbox_stranded_total", {"queue": QUEUE}) == 1
