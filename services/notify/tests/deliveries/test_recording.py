"""Tries of a claim or a record that overlap: the database answers an early one after a later one."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest

from bongsu.mixins import Database
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.port import Outcome, Sent
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.deliveries.recording import Recorder
from bongsu_notify.deliveries.service import Claims, Deliveries, MarkResult
from bongsu_notify.deliveries.stream import Job
from bongsu_notify.notifications.models import Notification, NotificationEvent
from services.notify.tests.deliveries.delivering import WakeUp, accept


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


class _SlowToMark(Deliveries):
    """Marks when `may_mark` is set."""

    def __init__(self) -> None:
        super().__init__(lease_s=60, max_attempts=8)
        self.marking, self.may_mark = asyncio.Event(), asyncio.Event()

    async def mark(self, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
        self.marking.set()
        await self.may_mark.wait()
        return await super().mark(claims, outcomes)


async def _end(jobs: Sequence[Job], is_recorded: bool | None) -> None: ...


class TestClaim:
    async def test_claim_stands_when_an_earlier_try_of_it_ends_later(
        self, database: Database, stop: StopSignal
    ) -> None:
        """The earlier try is not waited for any more, and records another outcome before it claims."""
        deliveries = _SlowToMark()
        recorder = Recorder(database, deliveries, DatabaseRetry(stop), _end, send_deadline=0.7, max_items=100)
        sent, job = [_job(await accept(database)) for _ in range(2)]
        (claim,), _, _ = await recorder.claim([sent])
        claim.outcome = Sent("m-1")
        # In the place of a submission that timed out while its transaction ran.
        earlier = asyncio.create_task(database.run(recorder._write, [claim, job]))
        await deliveries.marking.wait()
        (standing,), _, _ = await recorder.claim([job])
        deliveries.may_mark.set()
        await earlier
        standing.outcome = Sent("m-2")
        await recorder.record([standing])
        await recorder.close()
        row = await Notification.get(job.id)
        assert (row.status, row.provider_message_id) == ("sent", "m-2")
        assert await NotificationEvent.filter_by(notification_id=job.id, status="sending").count() == 1


def _job(one: Notification) -> Job:
    return Job(one.id, "normal", [WakeUp(one)], "email", 10)
