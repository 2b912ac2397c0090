"""The faults of a delivery. Long, because they share handlers and providers."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from bongsu import outbox
from bongsu.broker import Delivery, Message
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, utc_now, uuid7
from bongsu.outbox.models import OutboxMessage
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.port import Outcome, TryLater
from bongsu_notify.deliveries.handlers import DeliveryHandler
from bongsu_notify.deliveries.service import Claims, Deliveries, MarkResult
from bongsu_notify.notifications.models import Notification
from services.notify.tests.conftest import RememberingProvider
from services.notify.tests.deliveries.delivering import (
    QUEUE,
    Held,
    HoldingSome,
    accept,
    deliver,
    make_handler,
    status_is,
)
from tests.eventually import eventually


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


@pytest.fixture
def simulated() -> RememberingProvider:
    return RememberingProvider()


@pytest.fixture
def handler(
    database: Database, vault: Vault, provider: RememberingProvider, simulated: RememberingProvider, stop: StopSignal
) -> DeliveryHandler:
    return make_handler(database, vault, stop, provider, simulated=simulated)


class TestDelivery:
    async def test_accepted_notification_is_sent_once_and_its_wake_up_deleted(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, provider: RememberingProvider
    ) -> None:
        one = await accept(database)
        await deliver(broker, database, handler, until=status_is(one, "sent"))
        assert [message.notification_id for message in provider.sent] == [one.id]
        assert await OutboxMessage.row_count() == 0

    async def test_notification_is_sent_once_when_its_wake_up_arrives_twice(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, provider: RememberingProvider
    ) -> None:
        one = await accept(database)
        async with database.unit():
            await outbox.append(QUEUE, DeliveryWakeup(notification_id=one.id).model_dump(mode="json"))

        async def all_settled() -> bool:
            return await OutboxMessage.row_count() == 0

        await deliver(broker, database, handler, until=all_settled)
        assert len(provider.sent) == 1

    async def test_wake_up_is_postponed_when_the_provider_fails(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, provider: RememberingProvider
    ) -> None:
        one = await accept(database)
        provider.answers = [TryLater("provider_error", "500", delay_s=30)]
        await deliver(broker, database, handler, until=status_is(one, "retry_wait"))
        row = await OutboxMessage.filter_by().one()
        assert row.published_at is None
        assert await OutboxMessage.filter_by(visible_at__gt=utc_now(20)).exists()

    async def test_notification_is_sent_when_its_next_attempt_is_due(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, provider: RememberingProvider
    ) -> None:
        one = await accept(database)
        provider.answers = [TryLater("provider_error", "500", delay_s=0.3)]
        await deliver(broker, database, handler, until=status_is(one, "sent"))
        assert len(provider.sent) == 2
        assert (await Notification.get(one.id)).attempt == 2

    async def test_provider_gets_nothing_when_the_mode_is_test_or_the_address_is_simulated(
        self,
        database: Database,
        broker: MemoryBroker,
        handler: DeliveryHandler,
        provider: RememberingProvider,
        simulated: RememberingProvider,
    ) -> None:
        test = await accept(database, mode="test")
        address = await accept(database, recipient="delivered@simulator.bongsu.test")
        await deliver(broker, database, handler, until=status_is(test, "sent"))
        await deliver(broker, database, handler, until=status_is(address, "sent"))
        assert provider.sent == []
        assert len(simulated.sent) == 2

    async def test_notification_fails_without_a_call_when_rendering_is_refused(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, provider: RememberingProvider
    ) -> None:
        one = await accept(database, template="verify-email", sealed_variables="k9.broken")
        await deliver(broker, database, handler, until=status_is(one, "failed"))
        assert provider.sent == []

    async def test_malformed_wake_up_is_dead_lettered(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler
    ) -> None:
        await broker.publish(QUEUE, Message(id=str(uuid7()), body={"notification_id": "nonsense"}))
        await broker.publish(QUEUE, Message(id="not-a-row", body={"notification_id": str(uuid7())}))
        async with database.unit():
            await outbox.append(QUEUE, {"nonsense": True})

        async def all_are_dead_and_forgotten() -> bool:
            return len(await broker.dead_letters(QUEUE)) == 3 and await OutboxMessage.row_count() == 0

        await deliver(broker, database, handler, until=all_are_dead_and_forgotten)


class TestLargeContent:
    async def test_large_contents_are_in_memory_one_after_the_other(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        provider = Held()
        handler = make_handler(database, vault, stop, provider, large_budget_bytes=100_000)
        large = [await accept(database, content={"text": "x" * 70_000}, subject="large") for _ in range(3)]
        small = await accept(database, subject="small")

        async def overtaken() -> bool:
            return provider.running == Counter(large=1, small=1)

        async def sent() -> bool:
            return await Notification.filter_by(status="sent").count() == 4

        consumer = await broker.consume(QUEUE, handler, prefetch=64, batch_max=32)
        async with Relay(database, broker).run():
            await eventually(overtaken)
            assert await Notification.filter_by(id__in=[one.id for one in large], status="sending").count() == 1
            assert await Notification.filter_by(id=small.id, status="sending").exists()
            provider.release.set()
            await eventually(sent)
        await consumer.cancel()
        assert provider.most["large"] == 1


class TestLostClaim:
    async def test_wake_up_stays_when_another_worker_took_over_the_claim(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """The first worker stalls until its lease is over, and ends after the second has claimed the notification."""
        one = await accept(database)
        first = Held()
        stalled = make_handler(database, vault, stop, first)
        consumer = await broker.consume(QUEUE, stalled, prefetch=64, batch_max=32)
        async with Relay(database, broker).run(), asyncio.timeout(30):
            await first.started.wait()
            await Notification.filter_by(id=one.id).update(lease_until=utc_now(-1))
            async with database.unit():
                await Deliveries(lease_s=60, max_attempts=8).claim([one.id])
            first.release.set()
            await consumer.cancel()
        assert (await Notification.get(one.id)).status == "sending"
        assert await OutboxMessage.row_count() == 1

    async def test_wake_up_stays_when_the_commit_of_the_mark_was_not_confirmed(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, provider: RememberingProvider
    ) -> None:
        one = await accept(database)
        provider.answers = [TryLater("provider_error", "503", delay_s=30)]
        lose_once = [OperationalError("COMMIT", {}, Exception("gone away"))]

        @event.listens_for(database.engine.sync_engine, "commit")
        def lose(connection: Connection) -> None:
            if connection.info.pop("marked", False) and lose_once:
                connection.connection.commit()  # committed, but not confirmed
                raise lose_once.pop()

        @event.listens_for(database.engine.sync_engine, "after_cursor_execute")
        def note(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
            if statement.startswith("UPDATE notifications") and "error_code" in statement:
                connection.info["marked"] = True

        await deliver(broker, database, handler, until=status_is(one, "retry_wait"))
        assert not lose_once
        assert await OutboxMessage.filter_by(visible_at__gt=utc_now(20)).exists()


class TestDatabaseDown:
    async def test_outcome_is_recorded_when_the_database_is_available_again(
        self,
        database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        provider: RememberingProvider,
    ) -> None:
        one = await accept(database)
        failures = [OperationalError("UPDATE", {}, Exception("gone away")) for _ in range(2)]

        class Flaky(Deliveries):
            async def mark(self, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
                if failures:
                    raise failures.pop()
                return await super().mark(claims, outcomes)

        handler = make_handler(database, vault, stop, provider, deliveries=Flaky(lease_s=60, max_attempts=8))
        await deliver(broker, database, handler, until=status_is(one, "sent"))
        assert len(provider.sent) == 1
        assert not failures

    async def test_outcome_is_recorded_when_a_deadlock_meets_the_stop(
        self,
        database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        provider: RememberingProvider,
    ) -> None:
        one = await accept(database)
        failures = [OperationalError("UPDATE", {}, Exception(1213, "Deadlock found"))]

        class Deadlocked(Deliveries):
            async def mark(self, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
                if failures:
                    stop.set()
                    raise failures.pop()
                return await super().mark(claims, outcomes)

        handler = make_handler(database, vault, stop, provider, deliveries=Deadlocked(lease_s=60, max_attempts=8))
        await deliver(broker, database, handler, until=status_is(one, "sent"))
        assert not failures

    async def test_nothing_is_claimed_after_the_stop(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, stop: StopSignal
    ) -> None:
        one = await accept(database)
        stop.set()
        await broker.publish(QUEUE, Message(body=DeliveryWakeup(notification_id=one.id).model_dump(mode="json")))
        handled = asyncio.Event()

        async def handle(deliveries: list[Delivery]) -> None:
            await handler(deliveries)
            handled.set()

        consumer = await broker.consume(QUEUE, handle, prefetch=1)
        async with asyncio.timeout(30):
            await handled.wait()
        await consumer.cancel()
        assert (await Notification.get(one.id)).status == "accepted"
        assert await broker.depth(QUEUE) == 1

    async def test_job_returns_to_the_broker_when_the_worker_stops_without_a_database(
        self,
        database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        provider: RememberingProvider,
    ) -> None:
        one = await accept(database)
        tried = asyncio.Event()

        class Down(Deliveries):
            async def claim(
                self,
                ids: Sequence[UUID],  # noqa: ARG002 - as overridden
                *,
                owner: UUID | None = None,  # noqa: ARG002 - the same
                earlier: Collection[UUID] = (),  # noqa: ARG002 - the same
            ) -> Claims:
                tried.set()
                raise OperationalError("UPDATE", {}, Exception("gone away"))

        handler = make_handler(database, vault, stop, provider, deliveries=Down(lease_s=60, max_attempts=8))
        consumer = await broker.consume(QUEUE, handler, prefetch=64, batch_max=32)
        async with Relay(database, broker).run(), asyncio.timeout(30):
            await tried.wait()
            stop.set()
            await consumer.cancel()
        assert (await Notification.get(one.id)).status == "accepted"
        assert await broker.depth(QUEUE) == 1


class TestDeadline:
    async def test_outcome_is_unknown_when_the_provider_hangs_beyond_the_lease(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        one = await accept(database)
        handler = make_handler(database, vault, stop, Held(), deliveries=Deliveries(lease_s=1, max_attempts=8))
        await deliver(broker, database, handler, until=status_is(one, "unknown"))

    async def test_nothing_is_sent_when_the_lease_is_nearly_over(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal, provider: RememberingProvider
    ) -> None:
        one = await accept(database, guarantee="at-most-once")
        handler = make_handler(database, vault, stop, provider, send_deadline=0.0)
        await deliver(broker, database, handler, until=status_is(one, "retry_wait"))
        assert (await Notification.get(one.id)).attempt == 0
        assert provider.sent == []

    async def test_outcomes_are_recorded_at_the_stop(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """What hangs is unknown; what waits was not claimed; what was sent is recorded."""
        provider = HoldingSome()
        hung = [await accept(database, subject="hang") for _ in range(3)]
        handler = make_handler(database, vault, stop, provider, slots=4, stop_grace_s=0.1)
        consumer = await broker.consume(QUEUE, handler, prefetch=64, batch_max=32)
        async with Relay(database, broker).run(), asyncio.timeout(60):
            await eventually(lambda: provider.running["hang"] == 3)
            waiting = await accept(database)
            await eventually(lambda: handler.waiting == 1)
            stop.set()
            await handler.close()
        await consumer.cancel()
        assert await Notification.filter_by(id__in=[one.id for one in hung], status="unknown").count() == 3
        left = await Notification.get(waiting.id)
        assert (left.status, left.attempt) == ("accepted", 0)
        assert await broker.depth(QUEUE) == 1


class TestManyWorkers:
    async def test_each_notification_is_sent_once_when_three_workers_share_the_queue(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        provider = RememberingProvider()
        handlers = [make_handler(database, vault, stop, provider) for _ in range(3)]
        ids: set[UUID] = {(await accept(database)).id for _ in range(200)}
        consumers = [await broker.consume(QUEUE, handler, prefetch=64, batch_max=32) for handler in handlers]

        async def all_are_sent() -> bool:
            return await Notification.filter_by(status="sent").count() == len(ids)

        async with Relay(database, broker).run(), Relay(database, broker).run():
            await eventually(all_are_sent, 90)
        for consumer in consumers:
            await consumer.cancel()
        assert sorted(message.notification_id for message in provider.sent) == sorted(ids)
        assert await OutboxMessage.row_count() == 0
