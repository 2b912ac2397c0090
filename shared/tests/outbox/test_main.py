"""The relay as a process of its own, here within the test's process: on a real MySQL and RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from bongsu.mixins import Database
from bongsu.outbox import MIGRATIONS
from bongsu.outbox.__main__ import relay
from bongsu.outbox.models import OutboxMessage
from bongsu.runtime.errors import StartError
from bongsu.runtime.migrations import upgrade
from bongsu.runtime.settings import SettingsError
from bongsu.runtime.stop import StopSignal
from shared.tests.broker.servers import RabbitServer
from shared.tests.outbox.rows import append_some
from tests.eventually import eventually
from tests.ports import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mysql_database_url: str, port: int
) -> pytest.MonkeyPatch:
    """The settings that a relay needs, but for the broker; no `.env`, and its logging left alone."""
    database = urlsplit(mysql_database_url)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bongsu.process.lifecycle.configure_logging", lambda **_: None)
    for name, value in {
        "PORT": str(port),
        "MYSQL_HOST": database.hostname,
        "MYSQL_PORT": str(database.port or 3306),
        "MYSQL_USER": database.username or "root",
        "MYSQL_PASSWORD": database.password or "",
        "MYSQL_DATABASE": database.path.strip("/"),
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("AMQP_URL", raising=False)
    return monkeypatch


@pytest.fixture
async def database(mysql_database_url: str) -> AsyncIterator[Database]:
    database = Database(mysql_database_url)
    await upgrade(database.engine, [MIGRATIONS])
    yield database
    await database.dispose()


class TestRelay:
    async def test_messages_are_relayed_and_readiness_is_reported(
        self, environment: pytest.MonkeyPatch, database: Database, rabbit: RabbitServer, port: int
    ) -> None:
        queue = rabbit.name("jobs")
        environment.setenv("AMQP_URL", rabbit.proxy.url)
        broker = await rabbit.client()
        async with relaying(queue), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:

            async def answers() -> bool:
                try:
                    return (await http.get("/healthz")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(answers)
            await append_some(database, 3, queue=queue)

            async def relayed() -> bool:
                return await broker.depth(queue) == 3

            await eventually(relayed)
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()["database"], ready.json()["broker"]) == (200, "ok", "ok")
            metrics = (await http.get("/metrics")).text
            assert f'outbox_published_total{{queue="{queue}"}} 3.0' in metrics

    async def test_messages_wait_without_attempts_when_the_broker_is_unavailable(
        self, environment: pytest.MonkeyPatch, database: Database, rabbit: RabbitServer
    ) -> None:
        queue = rabbit.name("jobs")
        environment.setenv("AMQP_URL", rabbit.proxy.url)
        broker = await rabbit.client()
        async with relaying(queue):
            await append_some(database, 1, queue=queue)
            await eventually(is_published)
            rabbit.cut()
            await eventually(lambda: not broker.connected)
            ids = await append_some(database, 3, queue=queue)
            rabbit.restore()
            await eventually(lambda: broker.connected)
            await eventually(is_published)
            rows = await OutboxMessage.filter_by(id__in=ids).all()
        assert [row.attempts for row in rows] == [0, 0, 0]
        assert await broker.depth(queue) == 4

    async def test_missing_broker_setting_is_named(self, environment: pytest.MonkeyPatch, database: Database) -> None:
        del environment, database
        with pytest.raises(SettingsError, match="AMQP_URL"):
            await relay(StopSignal())

    async def test_unreachable_broker_is_named(self, environment: pytest.MonkeyPatch, database: Database) -> None:
        del database
        environment.setenv("AMQP_URL", "amqp://guest:guest@127.0.0.1:1/")
        with pytest.raises(StartError, match=r"127\.0\.0\.1:1"):
            await relay(StopSignal())

    async def test_missing_tables_are_named(self, environment: pytest.MonkeyPatch, rabbit: RabbitServer) -> None:
        environment.setenv("AMQP_URL", rabbit.proxy.url)
        with pytest.raises(StartError, match="outbox"):
            await relay(StopSignal())


async def is_published() -> bool:
    return not await OutboxMessage.filter_by(published_at__isnull=True).exists()


@asynccontextmanager
async def relaying(*queues: str) -> AsyncIterator[None]:
    stop = StopSignal()
    process = asyncio.create_task(relay(stop, queues))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await process
