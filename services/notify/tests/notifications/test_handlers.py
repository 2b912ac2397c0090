import json

import pytest
from sqlalchemy.exc import OperationalError

from bongsu import outbox
from bongsu.broker import Message
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.jobs import EmailRecipient, NotificationJob, variables_context
from bongsu.contracts.queues import DELIVER, NOTIFY_JOBS
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu.outbox.models import OutboxMessage
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.registry import create_channels
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.notifications.handlers import JobHandler
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.settings import NotifySettings
from tests.eventually import eventually


def _job(vault: Vault) -> NotificationJob:
    job_id = uuid7()
    return NotificationJob(
        id=job_id,
        template="verify-email",
        to=EmailRecipient(email="new@example.com"),
        sealed_variables=vault.seal(json.dumps({"link": "http://x"}), aad=variables_context(job_id)),
    )


def make_handler(database: Database, stop: StopSignal) -> JobHandler:
    notifications = Notifications(database, create_channels(NotifySettings()), everyone_is_live=False)
    return JobHandler(database, notifications, DatabaseRetry(stop))


async def _ask(database: Database, job: NotificationJob) -> None:
    async with database.unit():
        await outbox.append(NOTIFY_JOBS, job.model_dump(mode="json"), lane=0)


class TestJobHandler:
    async def test_job_makes_one_notification_when_it_arrives_twice(
        self, each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        job = _job(vault)
        await _ask(each_database, job)
        await _ask(each_database, job)
        consumer = await broker.consume(NOTIFY_JOBS, make_handler(each_database, stop), prefetch=4)

        async def jobs_are_done() -> bool:
            return not (await OutboxMessage.filter_by(queue=NOTIFY_JOBS).exists() or await broker.depth(NOTIFY_JOBS))

        async with Relay(each_database, broker).run():
            await eventually(jobs_are_done)
        await consumer.cancel()
        made = await Notification.filter_by(id=job.id).values_list("recipient", "template", "sealed_variables")
        assert made == [("new@example.com", "verify-email", job.sealed_variables)]
        assert await OutboxMessage.filter_by(queue=DELIVER["email"]["high"]).count() == 1

    async def test_malformed_job_is_dead_lettered(
        self, each_database: Database, broker: MemoryBroker, stop: StopSignal
    ) -> None:
        await broker.publish(NOTIFY_JOBS, Message(id=str(uuid7()), body={"template": "verify-email"}))
        consumer = await broker.consume(NOTIFY_JOBS, make_handler(each_database, stop), prefetch=4)
        await eventually(lambda: broker.dead_letters(NOTIFY_JOBS))
        await consumer.cancel()
        assert await Notification.row_count() == 0

    async def test_job_is_dead_lettered_when_a_column_cannot_hold_its_value(
        self, each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        job = _job(vault).model_copy(update={"to": EmailRecipient(email="한글@example.com")})
        await _ask(each_database, job)
        consumer = await broker.consume(NOTIFY_JOBS, make_handler(each_database, stop), prefetch=4)

        async def outbox_is_empty() -> bool:
            return not await OutboxMessage.row_count()

        async with Relay(each_database, broker).run():
            await eventually(outbox_is_empty)
        await consumer.cancel()
        (dead,) = await broker.dead_letters(NOTIFY_JOBS)
        assert dead.reason == "rejected"

    async def test_job_waits_when_the_database_is_unavailable(
        self,
        each_database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        job, real = _job(vault), Notifications.submit_job
        failures = [OperationalError("INSERT", {}, Exception("gone away")) for _ in range(2)]

        async def flaky(self: Notifications, job: NotificationJob) -> Notification | None:
            if failures:
                raise failures.pop()
            return await real(self, job)

        monkeypatch.setattr(Notifications, "submit_job", flaky)
        await broker.publish(NOTIFY_JOBS, Message(id=str(uuid7()), body=job.model_dump(mode="json")))
        consumer = await broker.consume(NOTIFY_JOBS, make_handler(each_database, stop), prefetch=4)
        await eventually(Notification.filter_by(id=job.id).exists)
        await consumer.cancel()
        assert not failures

    async def test_job_is_dead_lettered_and_kept_in_the_outbox_when_the_database_refuses_it(
        self,
        each_database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def refused(_self: Notifications, _job: NotificationJob) -> None:
            raise OperationalError("INSERT", {}, Exception(1054, "Unknown column"))

        monkeypatch.setattr(Notifications, "submit_job", refused)
        await _ask(each_database, _job(vault))
        consumer = await broker.consume(NOTIFY_JOBS, make_handler(each_database, stop), prefetch=4)
        async with Relay(each_database, broker).run():
            await eventually(lambda: broker.dead_letters(NOTIFY_JOBS))
        await consumer.cancel()
        (dead,) = await broker.dead_letters(NOTIFY_JOBS)
        assert dead.reason == "delivery_limit"
        assert await OutboxMessage.row_count() == 1
