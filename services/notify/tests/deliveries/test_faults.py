"""Workers that die at an exact point, wrong clocks, malformed jobs, and cancels that race with the dispatch."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
import time_machine

from bongsu import outbox
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.notifications import Guarantee, Status
from bongsu.contracts.queues import DELIVER
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, utc_now, uuid7
from bongsu.outbox.models import OutboxMessage
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.port import OneByOne, Outcome, Sent
from bongsu_notify.errors import NotCancellable
from bongsu_notify.feedback.effects import Effect
from bongsu_notify.feedback.schemas import SesEvent
from bongsu_notify.feedback.service import apply
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.service import Notifications
from services.notify.tests.conftest import RememberingProvider
from services.notify.tests.deliveries.delivering import (
    QUEUE,
    accept,
    deliver,
    make_handler,
    release_leases,
    status_is,
)
from tests.eventually import eventually

STAFF = Principal("user:1", uuid7(), sees_all=True)


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


@dataclass
class Dying(OneByOne[EmailMessage]):
    """A provider whose worker dies in a call: it never returns.

    :param accepts: whether SES takes the mail before that.
    """

    accepts: bool
    accepted: Counter[UUID] = field(default_factory=Counter)
    calls: int = 0
    max_rate: float | None = None

    async def open(self) -> None: ...

    async def is_ready(self) -> bool:
        return True

    async def send_one(self, message: EmailMessage) -> Outcome:
        self.calls += 1
        if self.accepts:
            self.accepted[message.notification_id] += 1
        await asyncio.Event().wait()
        return Sent("never")

    async def close(self) -> None: ...


@dataclass
class Ledger(RememberingProvider):
    """Counts what SES accepted from this worker and from the one before."""

    accepted: Counter[UUID] = field(default_factory=Counter)

    async def send_one(self, message: EmailMessage) -> Outcome:
        self.accepted[message.notification_id] += 1
        return Sent(f"m-{message.notification_id}")


@dataclass(frozen=True)
class Death:
    """The death of a worker, and what follows.

    :param accepts: SES has accepted the mail.
    :param reports: its Send event comes.
    :param status: in which the notification ends.
    :param count: how often SES has accepted it then.
    """

    accepts: bool
    reports: bool
    guarantee: Guarantee
    status: Status
    count: int


async def report_sent(one: Notification) -> None:
    """The Send event of the first attempt comes."""
    tags = {"notification_id": [str(one.id)], "attempt": ["1"]}
    event = SesEvent.model_validate({"eventType": "Send", "mail": {"messageId": "m-1", "tags": tags}})
    await apply(event, Effect("sent", "reported by SES"))


class TestKilledWorker:
    @pytest.mark.parametrize(
        "death",
        [
            Death(accepts=False, reports=False, guarantee="at-least-once", status="sent", count=1),
            Death(accepts=False, reports=False, guarantee="at-most-once", status="failed", count=0),
            Death(accepts=True, reports=True, guarantee="at-least-once", status="sent", count=1),
            Death(accepts=True, reports=True, guarantee="at-most-once", status="sent", count=1),
            Death(accepts=True, reports=False, guarantee="at-least-once", status="sent", count=2),
            Death(accepts=True, reports=False, guarantee="at-most-once", status="failed", count=1),
        ],
        ids=[
            "before the call",
            "before the call, at most once",
            "after it was accepted, with the event",
            "after it was accepted, with the event, at most once",
            "after it was accepted, without an event",
            "after it was accepted, without an event, at most once",
        ],
    )
    async def test_notification_ends_and_is_sent_as_often_as_its_guarantee_allows_when_the_worker_dies(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal, death: Death
    ) -> None:
        dying = Dying(death.accepts)
        ones = [await accept(database, guarantee=death.guarantee) for _ in range(3)]
        killed = make_handler(database, vault, StopSignal(), dying, stop_grace_s=0.0)
        consumer = await broker.consume(QUEUE, killed, prefetch=64, batch_max=32)
        async with Relay(database, broker).run():
            await eventually(lambda: dying.calls == 3)
            await consumer.cancel()
        if death.reports:
            for one in ones:
                await database.run(partial(report_sent, one))
        await release_leases(database)
        ledger = Ledger(accepted=dying.accepted)

        async def all_ended() -> bool:
            # The time in which an event would have come has passed.
            await Notification.filter_by(status="unknown").update(next_attempt_at=utc_now(-1))
            await OutboxMessage.filter_by(visible_at__gt=utc_now(5)).update(visible_at=utc_now())
            return await Notification.filter_by(status=death.status).count() == len(ones)

        await deliver(broker, database, make_handler(database, vault, stop, ledger), until=all_ended)
        assert [ledger.accepted[one.id] for one in ones] == [death.count] * 3

    async def test_mail_is_sent_once_when_the_worker_dies_before_its_acknowledgement(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """The outcome is committed, and the broker delivers the wake-ups once more, to another worker."""
        ledger, ones = Ledger(), [await accept(database) for _ in range(5)]
        wake_ups = [row.body for row in await OutboxMessage.filter_by(queue=QUEUE).all()]
        handler = make_handler(database, vault, stop, ledger)
        await deliver(broker, database, handler, until=partial(_have_status, ones, "sent"))
        async with database.unit():
            for body in wake_ups:
                await outbox.append(QUEUE, body)

        async def all_are_settled() -> bool:
            return await OutboxMessage.row_count() == 0

        await deliver(broker, database, make_handler(database, vault, stop, ledger), until=all_are_settled)
        assert {one.id: 1 for one in ones} == ledger.accepted


class TestWrongClock:
    @pytest.mark.parametrize("off_s", [600, -600])
    async def test_worker_whose_clock_is_wrong_takes_no_lease_and_sends_nothing_too_early(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal, off_s: float
    ) -> None:
        """Another worker sends one, another one waits for its next attempt, and a third is to be sent now."""
        leased = await accept(
            database, status="sending", attempt=1, lease_owner=uuid7(), lease_until=_in(30), updated_at=_in(-30)
        )
        waiting = await accept(database, status="retry_wait", attempt=1, next_attempt_at=_in(300))
        due, ledger = await accept(database), Ledger()
        with time_machine.travel(_in(off_s)):
            await deliver(broker, database, make_handler(database, vault, stop, ledger), until=status_is(due, "sent"))
        assert {due.id: 1} == ledger.accepted
        assert [(await Notification.get(one.id)).status for one in (leased, waiting)] == ["sending", "retry_wait"]
        assert abs(((await Notification.get(due.id)).updated_at - datetime.now(UTC)).total_seconds()) < 300


class TestMalformedJobs:
    async def test_twenty_malformed_wake_ups_among_two_hundred_are_dead_letters_and_delay_none(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        ledger, ones = Ledger(), []
        for number in range(200):
            ones.append(await accept(database))
            if number % 10 == 0:
                async with database.unit():
                    await outbox.append(QUEUE, {"notification_id": "nonsense"})
        handler = make_handler(database, vault, stop, ledger)
        await deliver(broker, database, handler, until=partial(_have_status, ones, "sent"))
        assert {one.id: 1 for one in ones} == ledger.accepted
        assert len(await broker.dead_letters(QUEUE)) == 20


class TestCancelRace:
    async def test_notification_is_cancelled_or_sent_and_never_both_when_both_happen_at_the_same_moment(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        ledger, notifications = Ledger(), Notifications(database, {}, everyone_is_live=True)
        ones = [await accept(database) for _ in range(200)]
        cancelled: set[UUID] = set()

        async def cancel(one: Notification) -> None:
            try:
                await database.run(notifications.cancel, one.id, STAFF)
            except NotCancellable:
                return
            cancelled.add(one.id)

        async def all_ended() -> bool:
            return await Notification.filter_by(status__in=["sent", "cancelled"]).count() == len(ones)

        async def cancel_all() -> None:
            await eventually(lambda: ledger.accepted.total() > 0)
            for one in reversed(ones):
                await cancel(one)

        cancelling = asyncio.create_task(cancel_all())
        await deliver(broker, database, make_handler(database, vault, stop, ledger, slots=4), until=all_ended)
        await cancelling
        sent = {*ledger.accepted}
        assert not sent & cancelled
        assert sent | cancelled == {one.id for one in ones}
        assert sent
        assert cancelled
        assert set(ledger.accepted.values()) == {1}


class TestSchedule:
    async def test_scheduled_notification_is_sent_once_after_a_restart(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """Neither process that ran when it was accepted is there when it is due."""
        async with database.unit():
            one = await accept(database, queue=DELIVER["email"]["normal"])
            await OutboxMessage.filter_by(queue=QUEUE).update(visible_at=utc_now(3600))
        first, second = Ledger(), Ledger()

        async def relay_has_looked() -> bool:
            return not await OutboxMessage.filter_by(visible_at__le=utc_now()).exists()

        await deliver(broker, database, make_handler(database, vault, StopSignal(), first), until=relay_has_looked)
        assert not first.accepted
        await OutboxMessage.filter_by(queue=QUEUE).update(visible_at=utc_now(-1))
        await deliver(broker, database, make_handler(database, vault, stop, second), until=status_is(one, "sent"))
        assert {one.id: 1} == second.accepted


async def _have_status(ones: list[Notification], status: str) -> bool:
    return await Notification.filter_by(id__in=[one.id for one in ones], status=status).count() == len(ones)


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
