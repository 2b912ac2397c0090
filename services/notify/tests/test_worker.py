"""The worker as a process of its own, and its metrics."""

import asyncio
from functools import partial

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from bongsu.broker import Message
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.jobs import EmailRecipient, NotificationJob
from bongsu.contracts.queues import NOTIFY_JOBS
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu.runtime.stop import StopSignal
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.settings import NotifySettings
from bongsu_notify.worker import create_worker
from tests.eventually import eventually


def _settings() -> NotifySettings:
    return NotifySettings().with_stand_ins("http://127.0.0.1:9")


async def _holding(client: httpx.AsyncClient) -> float:
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    (value,) = [sample.value for family in families for sample in family.samples if sample.name == "notify_holding"]
    return value


async def _is_holding(client: httpx.AsyncClient, count: int) -> bool:
    return await _holding(client) == count


class TestMetrics:
    async def test_metric_is_set_while_jobs_wait_for_the_database(
        self,
        database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answers, accepted = asyncio.Event(), asyncio.Event()

        async def submit_job(_self: Notifications, _job: NotificationJob) -> None:
            if not answers.is_set():
                raise OperationalError("INSERT", {}, Exception("gone away"))
            accepted.set()

        monkeypatch.setattr(Notifications, "submit_job", submit_job)
        app = create_worker(database=database, broker=broker, vault=vault, settings=_settings(), stop=stop)
        job = NotificationJob(
            id=uuid7(), template="verify-email", to=EmailRecipient(email="new@example.com"), sealed_variables="x"
        )
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://worker") as client,
            asyncio.timeout(30),
        ):
            assert await _holding(client) == 0
            await broker.publish(NOTIFY_JOBS, Message(id=str(uuid7()), body=job.model_dump(mode="json")))
            await eventually(partial(_is_holding, client, 1))
            answers.set()
            await accepted.wait()
            await eventually(partial(_is_holding, client, 0))
