"""The shared rate. Verdicts are about the slots that were reserved, which no busy machine moves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.queues import DELIVER
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, utc_now
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.port import Outcome, Sent, TryLater, max_together
from bongsu_notify.deliveries.pace import HORIZON_S, DatabaseClock, Pace, Request, Reservation, allot
from bongsu_notify.notifications.models import Notification, SendSlot
from services.notify.tests.conftest import RememberingProvider
from services.notify.tests.deliveries.delivering import WakeUp, accept, deliver, make_handler, status_is
from tests.eventually import eventually

RATE = 14.0
FACTOR = 0.95


class _PartlyThrottled(RememberingProvider):
    """Takes a group by one call, sends its first message, and throttles the others."""

    def split(self, messages: Sequence[EmailMessage]) -> Sequence[Sequence[EmailMessage]]:
        return [messages]

    async def send(self, call: Sequence[EmailMessage]) -> Sequence[Outcome]:
        throttled = TryLater("provider_throttled", "", delay_s=30, spends_attempt=False, is_throttled=True)
        return [Sent("m-1"), *[throttled] * (len(call) - 1)]


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


@pytest.fixture
async def workers(database: Database) -> AsyncIterator[Sequence[Pace]]:
    """The paces of four workers, each with connections of its own."""
    async with AsyncExitStack() as stack:
        paces = []
        for _ in range(4):
            own = Database(database.engine.url.render_as_string(hide_password=False))
            stack.push_async_callback(own.dispose)
            paces.append(Pace(own, "email", lambda: RATE, factor=FACTOR))
        yield paces


def _pace(database: Database, rate: float = RATE) -> Pace:
    return Pace(database, "email", lambda: rate, factor=FACTOR)


def _delay_s(reservation: Reservation) -> float:
    return reservation.slots[0].starts_at - reservation.slots[0].reserved_at


async def _next_at() -> datetime:
    return (await SendSlot.filter_by(provider="email").one()).next_at


class TestReserve:
    async def test_slots_of_four_workers_lie_one_interval_apart(
        self, database: Database, workers: Sequence[Pace]
    ) -> None:
        await _pace(database).reserve(1, urgent=True)
        await SendSlot.filter_by(provider="email").update(next_at=utc_now(3600))  # however slow this machine is
        first = await _next_at()
        await asyncio.gather(*(self._reserve_many(pace, 50) for pace in workers))
        taken_s = (await _next_at() - first).total_seconds()
        assert taken_s == pytest.approx(4 * 50 / (RATE * FACTOR), rel=0.001)

    async def _reserve_many(self, pace: Pace, count: int) -> None:
        for _ in range(count):
            assert len((await pace.reserve(1, urgent=True)).slots) == 1

    async def test_no_burst_follows_a_pause(self, database: Database) -> None:
        pace = _pace(database)
        await pace.reserve(1, urgent=False)
        await SendSlot.filter_by(provider="email").update(next_at=utc_now(-60))
        assert _delay_s(await pace.reserve(1, urgent=False)) < 1 / (RATE * FACTOR)
        assert await SendSlot.filter_by(next_at__gt=utc_now(-10)).exists()

    async def test_urgent_messages_reserve_beyond_the_horizon_of_the_others(self, database: Database) -> None:
        pace = _pace(database)
        await pace.reserve(1, urgent=False)
        await SendSlot.filter_by(provider="email").update(next_at=utc_now(60))
        slots, retry_after_s = await pace.reserve(1, urgent=False)
        assert not slots
        assert retry_after_s == pytest.approx(60 - HORIZON_S, abs=30)
        urgent = await pace.reserve(5, urgent=True)
        assert len(urgent.slots) == 1, "the others ask again: more urgent ones may come"
        assert _delay_s(urgent) == pytest.approx(60, abs=30)

    async def test_slots_are_reserved_as_far_as_the_horizon(self, database: Database) -> None:
        slots, _ = await _pace(database).reserve(100, urgent=False)
        assert len(slots) == 1 + int(HORIZON_S * RATE * FACTOR)
        delays = [slot.starts_at - slot.reserved_at for slot in slots]
        assert delays == pytest.approx([number / (RATE * FACTOR) for number in range(len(slots))], abs=0.001)

    @pytest.mark.parametrize(("rate", "count"), [(1.0, 1), (14.0, 1), (20.0, 2), (200.0, 11), (10_000.0, 50)])
    def test_messages_start_together_as_far_as_the_factor_spares(self, rate: float, count: int) -> None:
        assert max_together(rate) == count


class TestAllot:
    def test_messages_of_several_requests_start_together(self) -> None:
        requests = [Request(1, urgent=True, lead_s=0.0)] * 5
        reservations, taken_s = allot(requests, -1.0, 0.01, together=3, now=100.0)
        starts = [slot.starts_at for one in reservations for slot in one.slots]
        assert starts == pytest.approx([100.0, 100.0, 100.0, 100.03, 100.03])
        assert taken_s == pytest.approx(0.05)

    def test_request_that_leads_by_more_starts_a_group_of_its_own(self) -> None:
        requests = [Request(1, urgent=True, lead_s=lead_s) for lead_s in (0.0, 0.2)]
        reservations, taken_s = allot(requests, -1.0, 0.01, together=3, now=0.0)
        assert [slot.starts_at for one in reservations for slot in one.slots] == pytest.approx([0.0, 0.2])
        assert taken_s == pytest.approx(0.21)


class TestDatabaseClock:
    NOW = datetime(2026, 1, 1, tzinfo=UTC)

    def test_late_answer_is_located_by_a_faster_one_before(self) -> None:
        clock = DatabaseClock()
        assert clock.locate(self.NOW, 10.0, 10.002) == pytest.approx(10.001)
        assert clock.locate(self.NOW + timedelta(seconds=5), 14.99, 15.2) == pytest.approx(15.001)

    def test_faster_answer_replaces_a_slower_one(self) -> None:
        clock = DatabaseClock()
        clock.locate(self.NOW, 10.0, 10.4)
        assert clock.locate(self.NOW + timedelta(seconds=5), 15.3, 15.302) == pytest.approx(15.301)

    def test_clock_that_was_set_is_followed(self) -> None:
        clock = DatabaseClock()
        clock.locate(self.NOW, 10.0, 10.002)
        assert clock.locate(self.NOW + timedelta(hours=1), 11.0, 11.1) == pytest.approx(11.05)
        assert clock.locate(self.NOW + timedelta(hours=1, seconds=1), 12.0, 12.1) == pytest.approx(12.05)

    def test_old_answer_is_replaced(self) -> None:
        clock = DatabaseClock(max_age_s=60.0)
        clock.locate(self.NOW, 10.0, 10.002)
        assert clock.locate(self.NOW + timedelta(seconds=61), 71.0, 71.1) == pytest.approx(71.05)


class TestSlowDown:
    async def test_all_workers_slow_down_once_when_messages_are_throttled_together(
        self, database: Database, workers: Sequence[Pace]
    ) -> None:
        await _pace(database).reserve(1, urgent=True)
        for pace in workers:
            await pace.slow_down()
            await pace.slow_down()
        await SendSlot.filter_by(provider="email").update(next_at=utc_now(3600))
        before = await _next_at()
        await workers[0].reserve(1, urgent=True)
        interval_s = (await _next_at() - before).total_seconds()
        assert interval_s > 1.05 / (RATE * FACTOR)

    async def test_rate_recovers(self, database: Database) -> None:
        pace = _pace(database)
        await pace.reserve(1, urgent=True)
        await pace.slow_down()
        await SendSlot.filter_by(provider="email").update(slowed_at=utc_now(-3600), next_at=utc_now(3600))
        before = await _next_at()
        await pace.reserve(1, urgent=True)
        assert (await _next_at() - before).total_seconds() == pytest.approx(1 / (RATE * FACTOR), rel=0.001)

    async def test_slow_down_ends_in_time_while_another_transaction_locks_the_row(
        self, mysql_database: Database
    ) -> None:
        pace = Pace(mysql_database, "email", lambda: RATE, factor=FACTOR, slow_down_limit_s=0.1)
        await pace.reserve(1, urgent=True)
        async with mysql_database.engine.connect() as other:
            await other.execute(select(SendSlot.id).with_for_update())
            with pytest.raises(TimeoutError):
                await pace.slow_down()

    async def test_outcomes_are_recorded_while_the_rate_cannot_be_changed(
        self, database: Database, vault: Vault, stop: StopSignal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Recorded after that, what was sent would be sent again once its lease has ended."""
        changed = asyncio.Event()

        async def slow_down(_pace: Pace) -> None:
            await changed.wait()

        monkeypatch.setattr(Pace, "slow_down", slow_down)
        handler = make_handler(database, vault, stop, _PartlyThrottled(max_rate=10_000.0))
        wake_ups = [WakeUp(await accept(database)) for _ in range(2)]
        await handler(wake_ups)
        await eventually(lambda: all(one.settled for one in wake_ups))
        changed.set()
        await handler.close()
        assert {one.status for one in await Notification.query().all()} == {"sent", "retry_wait"}


class TestPacedDelivery:
    async def test_every_delivery_takes_a_slot_of_the_shared_rate(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """Two workers, normal and bulk: the slots of 40 mails span the time that the rate needs for them."""
        provider = RememberingProvider(max_rate=40.0)
        handlers = [make_handler(database, vault, stop, provider) for _ in range(2)]
        for number in range(40):
            await accept(database, queue=DELIVER["email"]["bulk" if number % 2 else "normal"])
        await _pace(database, 40.0).reserve(1, urgent=True)
        first = await _next_at()
        consumers = [
            await broker.consume(DELIVER["email"][lane], handler, prefetch=16, batch_max=16)
            for lane in ("normal", "bulk")
            for handler in handlers
        ]

        async def all_are_sent() -> bool:
            return await Notification.filter_by(status="sent").count() == 40

        async with Relay(database, broker).run():
            await eventually(all_are_sent)
        for handler in handlers:
            await handler.close()
        for consumer in consumers:
            await consumer.cancel()
        assert len(provider.sent) == 40
        assert (await _next_at() - first).total_seconds() >= 40 / (40.0 * FACTOR) - 0.001

    async def test_throttling_slows_down(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        throttled = TryLater("provider_throttled", "", delay_s=30, spends_attempt=False, is_throttled=True)
        provider = RememberingProvider(answers=[throttled], max_rate=1000.0)
        one = await accept(database)
        await deliver(
            broker, database, make_handler(database, vault, stop, provider), until=status_is(one, "retry_wait")
        )
        row = await SendSlot.filter_by(provider="email").one()
        assert row.slowdown == 0.5
