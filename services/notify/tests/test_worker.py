"""The worker as a process of its own, and its metrics."""

import asyncio
import subprocess
import sys
from functools import partial

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from bongsu import outbox
from bongsu.broker import JsonObject, Message
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.jobs import EmailRecipient, NotificationJob
from bongsu.contracts.queues import BOT_MESSAGES, NOTIFY_JOBS
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.email import ses
from bongsu_notify.channels.email.ses import SesProvider
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.notifications.wakeups import wake_up
from bongsu_notify.settings import NotifySettings
from bongsu_notify.worker import consume, create_worker
from services.notify.tests.channels.discord.bot import CHANNEL, MESSAGE
from services.notify.tests.deliveries.delivering import status_is
from services.notify.tests.rows import email_row
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


class TestImports:
    def test_worker_loads_neither_fastapi_nor_alembic(self) -> None:
        """Each takes 10 MiB, which the worker needs for mails."""
        script = (
            "import sys, bongsu_notify.__main__, bongsu_notify.worker, bongsu_notify.channels.email.ses\n"
            "print({'fastapi', 'alembic'} & {*sys.modules})"
        )
        loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own arguments
        assert loaded.stdout.strip() == "set()"


class TestProviders:
    async def test_provider_is_closed_when_the_start_is_cancelled_while_it_opens(
        self,
        database: Database,
        broker: MemoryBroker,
        vault: Vault,
        stop: StopSignal,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        opening, closed = asyncio.Event(), asyncio.Event()
        close = SesProvider.close

        async def fetch(*_client: object) -> None:
            opening.set()
            await asyncio.get_running_loop().create_future()

        async def close_and_note(provider: SesProvider) -> None:
            await close(provider)
            closed.set()

        monkeypatch.setattr(ses, "fetch_account", fetch)
        monkeypatch.setattr(SesProvider, "close", close_and_note)
        worker = consume(database=database, broker=broker, vault=vault, settings=_settings(), stop=stop)
        start = asyncio.create_task(worker.__aenter__())
        await opening.wait()
        start.cancel()
        await asyncio.wait([start])
        assert closed.is_set()


class TestChannels:
    async def test_mail_is_sent_while_a_backlog_of_another_channel_hangs(
        self, each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """More Discord messages than the worker takes in, and a bot that answers none before the mail is sent."""
        asked, mail_is_sent = asyncio.Event(), asyncio.Event()

        async def answer(_request: Message) -> JsonObject:
            asked.set()
            await mail_is_sent.wait()
            return {"message_id": str(MESSAGE), "channel_id": str(CHANNEL)}

        to = {"channel_id": str(CHANNEL)}
        discord = [email_row(channel="discord", recipient=str(CHANNEL), to=to, user_id=uuid7()) for _ in range(20)]
        mail = email_row(recipient="delivered@simulator.bongsu.test")
        for row in (*discord, mail):
            async with each_database.unit():
                await row.save()
                message = wake_up(row.id, row.channel, row.priority)
                await outbox.append(message.queue, message.body)
        settings = _settings().model_copy(update={"concurrency": 4, "send_timeout_s": 600.0, "lease_s": 600.0})
        worker = consume(database=each_database, broker=broker, vault=vault, settings=settings, stop=stop)
        bot = await broker.serve(BOT_MESSAGES, answer)
        async with worker, Relay(each_database, broker).run():
            await asked.wait()
            await eventually(status_is(mail, "delivered"))
            assert await Notification.filter_by(channel="discord", status="delivered").count() == 0
            mail_is_sent.set()
            await eventually(status_is(discord[-1], "delivered"))
        await bot.cancel()
