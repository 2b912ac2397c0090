"""Which deliveries start, and what a hanging call or a crash does to the others."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.notifications import Guarantee
from bongsu.contracts.queues import DELIVER
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.notifications.models import Notification
from services.notify.tests.conftest import RememberingProvider
from services.notify.tests.deliveries.delivering import (
    QUEUE,
    Held,
    HoldingSome,
    HoldingTwoCalls,
    accept,
    accept_bulk,
    deliver,
    make_handler,
    release_leases,
    status_is,
    wake_up,
)
from tests.eventually import eventually


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


class TestHangingCalls:
    async def test_codes_are_sent_while_two_calls_hang(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """The two never answer: that the codes are sent at all shows that they wait for neither."""
        provider = HoldingSome()
        handler = make_handler(database, vault, stop, provider)
        hung = [await accept(database, subject="hang") for _ in range(2)]
        codes = [await accept(database, subject="code", priority="high") for _ in range(20)]

        async def codes_are_sent() -> bool:
            return await Notification.filter_by(id__in=[one.id for one in codes], status="sent").count() == 20

        consumer = await broker.consume(QUEUE, handler, prefetch=64, batch_max=32)
        async with Relay(database, broker).run():
            await eventually(codes_are_sent)
        assert await Notification.filter_by(id__in=[one.id for one in hung], status="sending").count() == 2
        provider.release.set()
        await handler.close()
        await consumer.cancel()

    async def test_codes_are_sent_while_two_calls_of_their_lane_hang_and_bulk_waits(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """No bulk ends meanwhile, so the codes have only what the two calls leave of the slots of their lane."""
        provider = HoldingSome("hang", "bulk")
        handler = make_handler(database, vault, stop, provider, slots=16)
        lanes = DELIVER["email"]
        await accept_bulk(database, 200)
        consumers = [await broker.consume(queue, handler, prefetch=32, batch_max=32) for queue in lanes.values()]
        async with Relay(database, broker).run():
            await eventually(lambda: provider.running["bulk"] == 12)
            subjects = ["code"] * 7 + ["hang"] + ["code"] * 7 + ["hang"] + ["code"] * 6
            for subject in subjects:
                await accept(database, queue=lanes["high"], subject=subject, priority="high")

            async def codes_are_sent() -> bool:
                return await Notification.filter_by(subject="code", status="sent").count() == 20

            await eventually(codes_are_sent)
        assert provider.running == {"bulk": 12, "hang": 2}
        assert await Notification.filter_by(subject="bulk", status="accepted").count() == 188
        provider.release.set()
        await handler.close()
        for consumer in consumers:
            await consumer.cancel()

    async def test_code_is_sent_when_calls_of_other_lanes_hang_in_all_their_slots(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        provider = HoldingSome()
        handler = make_handler(database, vault, stop, provider, slots=8)
        for _ in range(20):
            await accept(database, subject="hang")
        high = DELIVER["email"]["high"]
        consumers = [await broker.consume(queue, handler, prefetch=64, batch_max=32) for queue in (QUEUE, high)]
        async with Relay(database, broker).run():
            await eventually(lambda: provider.running["hang"] == 6)
            code = await accept(database, queue=high, subject="code", priority="high")
            await eventually(status_is(code, "sent"))
        assert provider.most["hang"] == 6
        assert await Notification.filter_by(status="sending").count() == 6
        provider.release.set()
        await handler.close()
        for consumer in consumers:
            await consumer.cancel()

    async def test_bulk_is_sent_while_two_of_its_calls_hang(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        provider = HoldingTwoCalls()
        handler = make_handler(database, vault, stop, provider, slots=128)
        queue = DELIVER["email"]["bulk"]
        await accept_bulk(database, 200)
        consumer = await broker.consume(queue, handler, prefetch=200, batch_max=200)

        async def others_are_sent() -> bool:
            return await Notification.filter_by(status="sent").count() == 200 - provider.held

        async with Relay(database, broker).run():
            await eventually(others_are_sent)
        assert 2 < provider.held <= 64
        provider.release.set()
        await handler.close()
        await consumer.cancel()


class TestLanes:
    async def test_codes_start_before_a_backlog_of_bulk(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """The order shows it: only the bulk that ran when the codes came has started before them."""
        provider = Held()
        handler = make_handler(database, vault, stop, provider, slots=4)
        bulk, high = DELIVER["email"]["bulk"], DELIVER["email"]["high"]
        await accept_bulk(database, 300)
        consumers = [await broker.consume(queue, handler, prefetch=16, batch_max=16) for queue in (bulk, high)]
        async with Relay(database, broker).run():
            await eventually(lambda: (provider.running["bulk"], handler.waiting) == (3, 13))
            for _ in range(5):
                await broker.publish(high, await wake_up(database, subject="code", priority="high"))
            await eventually(lambda: (provider.running["code"], handler.waiting) == (1, 13 + 4))
            provider.release.set()
            await eventually(lambda: len(provider.sent) >= 12)
            await handler.close()
        for consumer in consumers:
            await consumer.cancel()
        assert [message.subject for message in provider.sent[:8]] == ["bulk"] * 3 + ["code"] * 5

    async def test_bulk_has_its_turn_beside_a_backlog_of_normal(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        provider = Held()
        handler = make_handler(database, vault, stop, provider, slots=1)
        wake_ups = {lane: [await wake_up(database, subject=lane) for _ in range(8)] for lane in ("normal", "bulk")}
        for lane, queue in DELIVER["email"].items():
            await broker.consume(queue, handler, prefetch=16, batch_max=16)
            for message in wake_ups.get(lane, []):
                await broker.publish(queue, message)
        await eventually(lambda: handler.waiting == 15)
        provider.release.set()
        await eventually(lambda: len(provider.sent) == 16)
        await handler.close()
        # The first started before the others had come.
        assert Counter(message.subject for message in provider.sent[1:9])["bulk"] == 2


class TestCrash:
    @pytest.mark.parametrize("guarantee", ["at-least-once", "at-most-once"])
    async def test_only_calls_in_flight_are_in_doubt_when_the_worker_is_killed(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal, guarantee: Guarantee
    ) -> None:
        provider = Held()
        handler = make_handler(database, vault, stop, provider, slots=4)
        ones = [await accept(database, guarantee=guarantee) for _ in range(12)]
        killed = await broker.consume(QUEUE, handler, prefetch=64, batch_max=32)
        async with Relay(database, broker).run(), asyncio.timeout(90):
            await eventually(lambda: provider.running.total() == 3)
            in_flight = {message.notification_id for message in provider.sent}
            # Killed: its calls never return, and its leases end.
            await killed.cancel()
            await release_leases(database)
            second = RememberingProvider()
            await deliver(
                broker,
                database,
                make_handler(database, vault, stop, second),
                until=lambda: _have_ended(ones),
            )
        sent_again = {message.notification_id for message in second.sent} & in_flight
        assert sent_again == (in_flight if guarantee == "at-least-once" else set())
        unknown = await Notification.filter_by(error_code="outcome_unknown").all()
        assert {one.id for one in unknown} == (set() if guarantee == "at-least-once" else in_flight)
        provider.release.set()
        await handler.close()


async def _have_ended(ones: Sequence[Notification]) -> bool:
    ended = Notification.filter_by(id__in=[one.id for one in ones], status__in=["sent", "unknown"])
    return await ended.count() == len(ones)
