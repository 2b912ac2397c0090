"""Mails of a group whose claims, calls or outcomes end differently: one holds up no other."""

import asyncio
import gc
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import pytest
from pymysql import err as mysql
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from bongsu.identity.vault import Vault
from bongsu.mixins import Database, utc_now
from bongsu.outbox.models import OutboxMessage
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.port import Outcome, TryLater
from bongsu_notify.deliveries.handlers import DeliveryHandler
from bongsu_notify.deliveries.service import Claims, Deliveries, MarkResult
from bongsu_notify.deliveries.statements import Peek
from bongsu_notify.notifications.models import Notification, NotificationEvent
from services.notify.tests.conftest import RememberingProvider
from services.notify.tests.deliveries.delivering import QUEUE, Held, HoldingSome, WakeUp, accept, make_handler
from tests.eventually import eventually


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


class _Locked(Deliveries):
    """The rows of `claims` and `marks` are locked, until they are taken out."""

    def __init__(self) -> None:
        super().__init__(lease_s=60, max_attempts=8)
        self.claims: set[UUID] = set()
        self.marks: set[UUID] = set()
        self.reached = asyncio.Event()

    def _check(self, locked: Collection[UUID], ids: Collection[UUID]) -> None:
        if {*locked} & {*ids}:
            self.reached.set()
            raise OperationalError("UPDATE", {}, mysql.OperationalError(1205, "Lock wait timeout exceeded"))

    async def claim(self, ids: Sequence[UUID], *, owner: UUID | None = None, earlier: Collection[UUID] = ()) -> Claims:
        self._check(self.claims, ids)
        return await super().claim(ids, owner=owner, earlier=earlier)

    async def mark(self, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
        self._check(self.marks, outcomes)
        return await super().mark(claims, outcomes)


class _Together(RememberingProvider):
    """Takes a group by one call."""

    def split(self, messages: Sequence[EmailMessage]) -> Sequence[Sequence[EmailMessage]]:
        return [messages]


class TestLockedRows:
    async def test_group_is_sent_while_the_row_of_one_stays_locked_at_the_claim(
        self, database: Database, vault: Vault, stop: StopSignal, provider: RememberingProvider
    ) -> None:
        deliveries = _Locked()
        handler = make_handler(database, vault, stop, provider, deliveries=deliveries)
        wake_ups = [WakeUp(await accept(database)) for _ in range(20)]
        locked = UUID(str(wake_ups[3].message.body["notification_id"]))
        deliveries.claims.add(locked)
        await handler(wake_ups)
        await eventually(lambda: [one.outcome for one in wake_ups].count("done") == 19)
        assert await Notification.filter_by(status="sent").count() == 19
        assert wake_ups[3].outcome == "held"
        deliveries.claims.clear()
        await eventually(lambda: wake_ups[3].settled)
        await handler.close()
        assert len({one.notification_id for one in provider.sent}) == len(provider.sent) == 20
        assert await NotificationEvent.filter_by(status="sending").count() == 20

    async def test_call_is_settled_while_the_row_of_one_stays_locked_at_the_record(
        self, database: Database, vault: Vault, stop: StopSignal
    ) -> None:
        deliveries, provider = _Locked(), _Together()
        handler = make_handler(database, vault, stop, provider, deliveries=deliveries)
        wake_ups = [WakeUp(await accept(database)) for _ in range(20)]
        deliveries.marks.add(UUID(str(wake_ups[3].message.body["notification_id"])))
        await handler(wake_ups)
        await eventually(lambda: [one.outcome for one in wake_ups].count("done") == 19)
        assert wake_ups[3].outcome == "held"
        deliveries.marks.clear()
        await eventually(lambda: wake_ups[3].settled)
        await handler.close()
        assert await Notification.filter_by(status="sent").count() == 20
        assert len(provider.sent) == 20


class _Watched(Deliveries):
    """Counts how often notifications were to be claimed and recorded."""

    def __init__(self) -> None:
        super().__init__(lease_s=60, max_attempts=8)
        self.claimed: Counter[UUID] = Counter()
        self.marked: Counter[UUID] = Counter()

    async def claim(self, ids: Sequence[UUID], *, owner: UUID | None = None, earlier: Collection[UUID] = ()) -> Claims:
        self.claimed.update(ids)
        return await super().claim(ids, owner=owner, earlier=earlier)

    async def mark(self, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
        self.marked.update(outcomes.keys())
        return await super().mark(claims, outcomes)


class TestRowsThatOthersLock:
    """One transaction waits for them. If each row were tried alone, many would hold up their group for ten seconds."""

    async def test_group_is_sent_while_other_transactions_lock_many_of_its_rows_at_the_claim(
        self, mysql_database: Database, vault: Vault, stop: StopSignal, provider: RememberingProvider
    ) -> None:
        deliveries = _Watched()
        handler = make_handler(mysql_database, vault, stop, provider, deliveries=deliveries)
        ones = [await accept(mysql_database) for _ in range(20)]
        locked, wake_ups = {one.id for one in ones[:8]}, [WakeUp(one) for one in ones]
        async with mysql_database.engine.connect() as other:
            await _lock(other, locked)
            await handler(wake_ups)
            await eventually(lambda: all(one.settled for one in wake_ups[8:]))
            assert [deliveries.claimed[key] for key in locked] == [1] * 8
        await eventually(lambda: all(one.settled for one in wake_ups))
        await handler.close()
        assert len({one.notification_id for one in provider.sent}) == len(provider.sent) == 20

    async def test_call_is_settled_while_other_transactions_lock_many_of_its_rows_at_the_record(
        self, mysql_database: Database, vault: Vault, stop: StopSignal
    ) -> None:
        deliveries, provider = _Watched(), _HeldTogether()
        handler = make_handler(mysql_database, vault, stop, provider, deliveries=deliveries)
        ones = [await accept(mysql_database) for _ in range(20)]
        locked, wake_ups = {one.id for one in ones[:8]}, [WakeUp(one) for one in ones]
        await handler(wake_ups)
        await provider.started.wait()
        async with mysql_database.engine.connect() as other:
            await _lock(other, locked)
            provider.release.set()
            await eventually(lambda: all(one.settled for one in wake_ups[8:]))
            assert [deliveries.marked[key] for key in locked] == [1] * 8
        await eventually(lambda: all(one.settled for one in wake_ups))
        await handler.close()
        assert await Notification.filter_by(status="sent").count() == 20

    async def test_wake_up_of_a_deleted_notification_is_settled(
        self, mysql_database: Database, vault: Vault, stop: StopSignal, provider: RememberingProvider
    ) -> None:
        handler = make_handler(mysql_database, vault, stop, provider)
        one = await accept(mysql_database)
        await Notification.filter_by(id=one.id).delete()
        await handler([deleted := WakeUp(one)])
        await eventually(lambda: deleted.settled)
        await handler.close()
        assert (deleted.outcome, provider.sent) == ("done", [])


async def _lock(connection: AsyncConnection, ids: Collection[UUID]) -> None:
    for key in ids:  # each alone: for several, the server may read the whole table, and lock what it reads
        await connection.execute(select(Notification.id).where(Notification.id == key).with_for_update())


class _Arriving(WakeUp):
    """A delivery that another one follows while it is acknowledged."""

    following: WakeUp
    handler: DeliveryHandler

    async def _send_ack(self) -> None:
        await super()._send_ack()
        await self.handler([self.following])


class TestLateWakeUps:
    async def test_wake_up_returns_to_the_broker_when_it_comes_after_its_notification_was_recorded(
        self, database: Database, vault: Vault, stop: StopSignal, provider: RememberingProvider
    ) -> None:
        """Acknowledged, it would be gone: what was recorded knows nothing of it."""
        handler = make_handler(database, vault, stop, provider)
        waits = [await accept(database, status="retry_wait", next_attempt_at=utc_now(3600)) for _ in range(2)]
        first, second, late = _Arriving(waits[0]), WakeUp(waits[1]), WakeUp(waits[1])
        first.following, first.handler = late, handler
        await handler([first, second])
        await eventually(lambda: second.settled)
        await handler.close()
        assert [one.outcome for one in (first, second, late)] == ["done", "done", "requeued"]

    async def test_copy_of_a_wake_up_is_acknowledged_with_its_notification(
        self, database: Database, vault: Vault, stop: StopSignal
    ) -> None:
        provider = Held()
        handler = make_handler(database, vault, stop, provider)
        one = await accept(database)
        first, second = WakeUp(one), WakeUp(one)
        await handler([first])
        await provider.started.wait()
        await handler([second])
        provider.release.set()
        await eventually(lambda: first.settled and second.settled)
        await handler.close()
        assert (first.outcome, second.outcome) == ("done", "done")


class TestMovedDeadLetter:
    """A worker that cannot read a wake-up dead-letters it and deletes its row. `bongsu dead redrive` moves it back."""

    async def test_notification_is_woken_again_when_its_wake_up_has_no_row(
        self, database: Database, vault: Vault, stop: StopSignal, provider: RememberingProvider
    ) -> None:
        provider.answers = [TryLater("provider_error", "busy", delay_s=3600)] * 3
        handler = make_handler(database, vault, stop, provider)
        ones = [await accept(database) for _ in range(3)]
        rows = {row.body["notification_id"]: row.id for row in await OutboxMessage.query().all()}
        moved, kept, doubled = (WakeUp(one, rows[str(one.id)]) for one in ones)
        await OutboxMessage.filter_by(id=UUID(moved.message.id)).delete()
        wake_ups = [moved, kept, doubled, WakeUp(ones[2])]
        await handler(wake_ups)
        await eventually(lambda: all(one.settled for one in wake_ups))
        await handler.close()
        waiting = await OutboxMessage.filter_by(queue=QUEUE, visible_at__gt=utc_now(60)).all()
        assert {row.id: row.body for row in waiting} == {
            UUID(one.message.id): one.message.body for one in (moved, kept, doubled)
        }
        assert [one.outcome for one in wake_ups] == ["done"] * 4


class _HeldTogether(Held):
    """Takes a group by one call."""

    def split(self, messages: Sequence[EmailMessage]) -> Sequence[Sequence[EmailMessage]]:
        return [messages]


class _Unreadable(Deliveries):
    """Cannot read a notification while `fails` is set."""

    fails = False

    async def peek(self, ids: Sequence[UUID]) -> Mapping[UUID, Peek]:
        if self.fails:
            raise KeyError("defect")
        return await super().peek(ids)


class TestReturnedCopy:
    async def test_call_is_settled_when_the_broker_has_taken_back_a_copy_of_a_wake_up(
        self, database: Database, vault: Vault, stop: StopSignal
    ) -> None:
        """The copy joined the notification, and came beside one that could not be read: the batch was returned."""
        provider, deliveries = _HeldTogether(), _Unreadable(lease_s=60, max_attempts=8)
        handler = make_handler(database, vault, stop, provider, deliveries=deliveries)
        ones = [await accept(database) for _ in range(3)]
        wake_ups, copy = [WakeUp(one) for one in ones], WakeUp(ones[0])
        await handler(wake_ups)
        await provider.started.wait()
        deliveries.fails = True
        with pytest.raises(KeyError):
            await handler([copy, WakeUp(await accept(database))])
        await copy.reject(requeue=True)
        provider.release.set()
        await eventually(lambda: all(one.settled for one in wake_ups))
        await handler.close()
        assert [one.outcome for one in wake_ups] == ["done"] * 3


def _is_large_content_freed() -> bool:
    gc.collect()
    return all(len(one.parts["text"]) < 100_000 for one in gc.get_objects() if isinstance(one, Content))


class TestMemory:
    async def test_content_is_freed_when_its_mail_is_sent_beside_one_that_hangs(
        self, database: Database, vault: Vault, stop: StopSignal
    ) -> None:
        """Both were claimed in one transaction."""
        provider = HoldingSome("hang")
        handler = make_handler(database, vault, stop, provider)
        large = await accept(database, subject="large", content={"text": "x" * 100_000})
        await handler([WakeUp(await accept(database, subject="hang")), sent := WakeUp(large)])
        await eventually(lambda: sent.settled)
        await eventually(_is_large_content_freed)  # the tasks that sent it end some turns of the event loop later
        provider.release.set()
        await handler.close()


class _SlowToEnd(HoldingSome):
    """A call that is cancelled ends when `may_end` is set."""

    def __init__(self) -> None:
        super().__init__("hang", "slow")
        self.ending, self.may_end = asyncio.Event(), asyncio.Event()

    async def send_one(self, message: EmailMessage) -> Outcome:
        try:
            return await super().send_one(message)
        except asyncio.CancelledError:
            if message.subject == "slow":
                self.ending.set()
                await self.may_end.wait()
            raise


class _Cancelled(RememberingProvider):
    """Ends each call by a cancellation of its own, as a client does that ends the requests of a lost connection."""

    async def send_one(self, message: EmailMessage) -> Outcome:
        await super().send_one(message)
        raise asyncio.CancelledError


class TestCancelledCall:
    async def test_slots_are_freed_and_outcomes_unknown_when_the_client_cancels_calls(
        self, database: Database, vault: Vault, stop: StopSignal
    ) -> None:
        handler = make_handler(database, vault, stop, _Cancelled(), slots=4)
        wake_ups = [WakeUp(await accept(database)) for _ in range(12)]
        await handler(wake_ups)
        await eventually(lambda: all(one.settled for one in wake_ups))
        await handler.close()
        assert [one.outcome for one in wake_ups] == ["done"] * 12
        assert await Notification.filter_by(status="unknown").count() == 12


class TestStop:
    async def test_calls_end_at_the_stop_while_one_has_timed_out_and_is_ending(
        self, database: Database, vault: Vault, stop: StopSignal
    ) -> None:
        provider, deliveries = _SlowToEnd(), Deliveries(lease_s=2, max_attempts=8)
        handler = make_handler(database, vault, stop, provider, deliveries=deliveries, stop_grace_s=0.0)
        await handler([slow := WakeUp(await accept(database, subject="slow"))])
        await provider.ending.wait()
        deliveries.lease_s = 600
        hung = [WakeUp(await accept(database, subject="hang")) for _ in range(3)]
        await handler(hung)
        await eventually(lambda: provider.running["hang"] == 3)
        stop.set()
        closing = asyncio.create_task(handler.close())
        await eventually(lambda: all(one.settled for one in hung))
        provider.may_end.set()
        await closing
        assert slow.outcome == "done"
        assert await Notification.filter_by(status="unknown").count() == 4
