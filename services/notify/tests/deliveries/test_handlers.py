"""Long, as every way that a delivery can go wrong is tried here, with the same workers and channels."""

import asyncio
from collections.abc import Mapping, Sequence
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
from bongsu_notify.channels.port import Channel, Outcome, Outgoing, Refused, Sent, TryLater
from bongsu_notify.deliveries import handlers, service
from bongsu_notify.deliveries.handlers import DeliveryHandler
from bongsu_notify.deliveries.rendering import Renderer
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings
from services.notify.tests.conftest import RememberingChannel
from services.notify.tests.deliveries.delivering import QUEUE, accepted, deliver, status_is
from tests.eventually import eventually


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


@pytest.fixture
def simulated() -> RememberingChannel:
    return RememberingChannel()


@pytest.fixture
def handler(
    database: Database, vault: Vault, channel: RememberingChannel, simulated: RememberingChannel, stop: StopSignal
) -> DeliveryHandler:
    return DeliveryHandler(
        database=database,
        channels={"email": channel, "simulated": simulated},
        renderer=Renderer(vault=vault, sender="no-reply@bongsu.test"),
        settings=NotifySettings(),
        stop=stop,
    )


class TestDelivery:
    async def test_an_accepted_notification_is_sent_once_and_its_wake_up_is_forgotten(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, channel: RememberingChannel
    ) -> None:
        one = await accepted(database)
        await deliver(broker, database, handler, until=status_is(one, "sent"))
        assert [message.notification_id for message in channel.sent] == [one.id]
        assert await OutboxMessage.row_count() == 0

    async def test_the_same_wake_up_twice_sends_once(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, channel: RememberingChannel
    ) -> None:
        one = await accepted(database)
        async with database.unit():
            await outbox.append(QUEUE, DeliveryWakeup(notification_id=one.id).model_dump(mode="json"))

        async def all_settled() -> bool:
            return await OutboxMessage.row_count() == 0

        await deliver(broker, database, handler, until=all_settled)
        assert len(channel.sent) == 1

    async def test_one_to_try_later_keeps_its_wake_up_for_then(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, channel: RememberingChannel
    ) -> None:
        one = await accepted(database)
        channel.answers = [TryLater("provider_error", "500", delay_s=30)]
        await deliver(broker, database, handler, until=status_is(one, "retry_wait"))
        row = await OutboxMessage.filter_by().one()
        assert row.published_at is None
        assert await OutboxMessage.filter_by(visible_at__gt=utc_now(20)).exists()

    async def test_it_is_sent_when_then_has_come(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, channel: RememberingChannel
    ) -> None:
        one = await accepted(database)
        channel.answers = [TryLater("provider_error", "500", delay_s=0.3)]
        await deliver(broker, database, handler, until=status_is(one, "sent"))
        assert len(channel.sent) == 2
        assert (await Notification.get(one.id)).attempt == 2

    async def test_test_mode_and_simulator_addresses_never_reach_a_provider(
        self,
        database: Database,
        broker: MemoryBroker,
        handler: DeliveryHandler,
        channel: RememberingChannel,
        simulated: RememberingChannel,
    ) -> None:
        test = await accepted(database, mode="test")
        address = await accepted(database, recipient="delivered@simulator.bongsu.test")
        await deliver(broker, database, handler, until=status_is(test, "sent"))
        await deliver(broker, database, handler, until=status_is(address, "sent"))
        assert channel.sent == []
        assert len(simulated.sent) == 2

    async def test_what_cannot_be_rendered_fails_without_a_call(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, channel: RememberingChannel
    ) -> None:
        one = await accepted(database, template="verify-email", sealed_variables="k9.broken")
        await deliver(broker, database, handler, until=status_is(one, "failed"))
        assert channel.sent == []

    async def test_a_body_that_is_no_wake_up_is_dead_lettered(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler
    ) -> None:
        await broker.publish(QUEUE, Message(id=str(uuid7()), body={"notification_id": "nonsense"}))
        await broker.publish(QUEUE, Message(id="not-a-row", body={"notification_id": str(uuid7())}))
        async with database.unit():
            await outbox.append(QUEUE, {"nonsense": True})

        async def all_are_dead_and_forgotten() -> bool:
            return len(await broker.dead_letters(QUEUE)) == 3 and await OutboxMessage.row_count() == 0

        await deliver(broker, database, handler, until=all_are_dead_and_forgotten)


class _Counting(RememberingChannel):
    """Remembers how many came at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[int] = []

    async def send(self, batch: Sequence[Outgoing], *, cutoff: asyncio.Event) -> Sequence[Outcome]:
        self.counts.append(len(batch))
        return await super().send(batch, cutoff=cutoff)


class TestLargeContent:
    async def test_a_batch_that_would_not_fit_the_process_is_sent_in_parts(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        channel = _Counting()
        handler = DeliveryHandler(
            database=database,
            channels={"email": channel},
            renderer=Renderer(vault=vault, sender="no-reply@bongsu.test"),
            settings=NotifySettings(),
            stop=stop,
        )
        half = "x" * (handlers.PART_BYTES // 2)
        ones = [
            await accepted(database, text=text, html=html) for text, html in ((half, None), ("t", half), (half, "h"))
        ]

        async def sent() -> bool:
            return await Notification.filter_by(status="sent").count() == len(ones)

        await deliver(broker, database, handler, until=sent)
        assert channel.counts == [1, 1, 1]


class TestLostClaim:
    async def test_a_notification_that_another_worker_took_keeps_its_wake_up(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """The first worker stalls until its lease is over, and ends after the second has taken the notification."""
        one = await accepted(database)
        first = _Held()
        stalled = DeliveryHandler(
            database=database,
            channels={"email": first},
            renderer=Renderer(vault=vault, sender="no-reply@bongsu.test"),
            settings=NotifySettings(),
            stop=stop,
        )
        consumer = await broker.consume(QUEUE, stalled, prefetch=64, batch_max=32)
        async with Relay(database, broker).running(), asyncio.timeout(30):
            await first.begun.wait()
            await Notification.filter_by(id=one.id).update(lease_until=utc_now(-1))
            async with database.unit():
                await service.claim([one.id], lease_s=60, max_attempts=8)
            first.release.set()
            await consumer.cancel()
        assert (await Notification.get(one.id)).status == "sending"
        assert await OutboxMessage.row_count() == 1

    async def test_a_mark_whose_commit_was_not_confirmed_keeps_the_wake_up(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, channel: RememberingChannel
    ) -> None:
        one = await accepted(database)
        channel.answers = [TryLater("provider_error", "503", delay_s=30)]
        lose_once = [OperationalError("COMMIT", {}, Exception("gone away"))]

        @event.listens_for(database.engine.sync_engine, "commit")
        def lose(connection: Connection) -> None:
            if connection.info.pop("marked", False) and lose_once:
                connection.connection.commit()  # it went through, and nobody was told
                raise lose_once.pop()

        @event.listens_for(database.engine.sync_engine, "after_cursor_execute")
        def note(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
            if statement.startswith("UPDATE notifications") and "CASE" in statement:
                connection.info["marked"] = True

        await deliver(broker, database, handler, until=status_is(one, "retry_wait"))
        assert not lose_once
        assert await OutboxMessage.filter_by(visible_at__gt=utc_now(20)).exists()


class TestDatabaseDown:
    async def test_what_was_sent_is_written_down_once_the_database_answers_again(
        self,
        database: Database,
        broker: MemoryBroker,
        handler: DeliveryHandler,
        channel: RememberingChannel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        one = await accepted(database)
        real, failures = service.mark, [OperationalError("UPDATE", {}, Exception("gone away")) for _ in range(2)]

        async def flaky(
            claims: service.Claims, outcomes: Mapping[UUID, Outcome], *, max_attempts: int
        ) -> service.Marked:
            if failures:
                raise failures.pop()
            return await real(claims, outcomes, max_attempts=max_attempts)

        monkeypatch.setattr(service, "mark", flaky)
        await deliver(broker, database, handler, until=status_is(one, "sent"))
        assert len(channel.sent) == 1
        assert not failures

    async def test_a_deadlock_at_the_stop_does_not_lose_what_was_sent(
        self,
        database: Database,
        broker: MemoryBroker,
        handler: DeliveryHandler,
        stop: StopSignal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        one = await accepted(database)
        real, failures = service.mark, [OperationalError("UPDATE", {}, Exception(1213, "Deadlock found"))]

        async def deadlocked(
            claims: service.Claims, outcomes: Mapping[UUID, Outcome], *, max_attempts: int
        ) -> service.Marked:
            if failures:
                stop.set()
                raise failures.pop()
            return await real(claims, outcomes, max_attempts=max_attempts)

        monkeypatch.setattr(service, "mark", deadlocked)
        await deliver(broker, database, handler, until=status_is(one, "sent"))
        assert not failures

    async def test_nothing_is_claimed_after_the_stop(
        self, database: Database, broker: MemoryBroker, handler: DeliveryHandler, stop: StopSignal
    ) -> None:
        one = await accepted(database)
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

    async def test_a_stop_meanwhile_leaves_the_job_to_the_broker(
        self,
        database: Database,
        broker: MemoryBroker,
        handler: DeliveryHandler,
        stop: StopSignal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        one = await accepted(database)
        tried = asyncio.Event()

        async def down(*_arguments: object, **_options: object) -> service.Claims:
            tried.set()
            raise OperationalError("UPDATE", {}, Exception("gone away"))

        monkeypatch.setattr(service, "claim", down)
        consumer = await broker.consume(QUEUE, handler, prefetch=64, batch_max=32)
        async with Relay(database, broker).running(), asyncio.timeout(30):
            await tried.wait()
            stop.set()
            await consumer.cancel()
        assert (await Notification.get(one.id)).status == "accepted"
        assert await broker.depth(QUEUE) == 1


class _Held:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.begun, self.release = asyncio.Event(), asyncio.Event()

    async def open(self) -> None: ...

    async def send(self, batch: Sequence[Outgoing], *, cutoff: asyncio.Event) -> Sequence[Outcome]:  # noqa: ARG002 - it is deaf
        self.begun.set()
        await self.release.wait()
        return [Sent("m-1") for _ in batch]

    async def close(self) -> None: ...


class _CutOff(_Held):
    """Answers at the cutoff: the first was sent, the rest was not begun."""

    async def send(self, batch: Sequence[Outgoing], *, cutoff: asyncio.Event) -> Sequence[Outcome]:
        self.begun.set()
        await cutoff.wait()
        return [Sent("m-1"), *(TryLater("not_begun", "", spends_attempt=False) for _ in batch[1:])]


class _Slow:
    """Answers too late for the lease."""

    async def open(self) -> None: ...

    async def send(self, batch: Sequence[Outgoing], *, cutoff: asyncio.Event) -> Sequence[Outcome]:  # noqa: ARG002 - it is deaf
        await asyncio.sleep(60)
        return [Refused("never", "") for _ in batch]

    async def close(self) -> None: ...


class TestDeadline:
    async def test_a_provider_that_hangs_is_given_up_within_the_lease(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        one = await accepted(database)
        handler = DeliveryHandler(
            database=database,
            channels={"email": _Slow()},
            renderer=Renderer(vault=vault, sender="no-reply@bongsu.test"),
            settings=NotifySettings(lease_s=1),
            stop=stop,
        )
        await deliver(broker, database, handler, until=status_is(one, "unknown"))

    async def test_what_was_sent_before_the_cutoff_is_written_down(
        self,
        database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Late enough for a slow machine to have begun, and long before the channel is given up.
        monkeypatch.setattr(handlers, "CUT_OFF", 0.03)
        await self._deliver_two(database, broker, vault, stop, _CutOff(), lease_s=60)

    async def test_the_stop_cuts_off_too(
        self,
        database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(handlers, "STOP_GRACE_S", 0.1)
        channel = _CutOff()

        async def stop_once_begun() -> None:
            await channel.begun.wait()
            stop.set()

        stopping = asyncio.create_task(stop_once_begun())
        await self._deliver_two(database, broker, vault, stop, channel, lease_s=60)
        await stopping

    async def _deliver_two(
        self,
        database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        channel: Channel,
        *,
        lease_s: float,
    ) -> None:
        ones = [await accepted(database) for _ in range(2)]
        handler = DeliveryHandler(
            database=database,
            channels={"email": channel},
            renderer=Renderer(vault=vault, sender="no-reply@bongsu.test"),
            settings=NotifySettings(lease_s=lease_s),
            stop=stop,
        )

        async def written() -> bool:
            rows = await Notification.filter_by(id__in=[one.id for one in ones]).all()
            return sorted((row.status, row.attempt) for row in rows) == [("retry_wait", 0), ("sent", 1)]

        await deliver(broker, database, handler, until=written)


class TestManyWorkers:
    async def test_each_of_two_hundred_is_sent_exactly_once(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        channel = RememberingChannel()
        handlers = [
            DeliveryHandler(
                database=database,
                channels={"email": channel},
                renderer=Renderer(vault=vault, sender="no-reply@bongsu.test"),
                settings=NotifySettings(),
                stop=stop,
            )
            for _ in range(3)
        ]
        ids: set[UUID] = {(await accepted(database)).id for _ in range(200)}
        consumers = [await broker.consume(QUEUE, handler, prefetch=64, batch_max=32) for handler in handlers]

        async def all_are_sent() -> bool:
            return await Notification.filter_by(status="sent").count() == len(ids)

        async with Relay(database, broker).running(), Relay(database, broker).running():
            await eventually(all_are_sent, 90)
        for consumer in consumers:
            await consumer.cancel()
        assert sorted(message.notification_id for message in channel.sent) == sorted(ids)
        assert await OutboxMessage.row_count() == 0
