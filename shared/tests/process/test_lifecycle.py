import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.process.database import open_database
from bongsu.process.identity import open_identity
from bongsu.process.lifecycle import Process, open_process
from bongsu.runtime.health import create_health_app
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.settings import PlatformSettings
from bongsu.runtime.stop import StopSignal
from tests.ports import free_port

Open = Callable[[Process], Awaitable[None]]


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pytest's logging alone."""
    monkeypatch.setattr("bongsu.process.lifecycle.configure_logging", lambda **_: None)


async def _get_readyz(open_resources: Open) -> httpx.Response:
    """Run a process until it has answered one request."""
    port = free_port()
    stop = StopSignal()
    answers: list[httpx.Response] = []

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            answers.append(await client.get("/readyz"))
        stop.set()

    async with asyncio.timeout(100), open_process(PlatformSettings(port=port), stop) as process:
        await open_resources(process)
        app = create_health_app(metrics=Metrics("kitchen"))
        await process.serve(app, started=ask)
    (answer,) = answers
    return answer


class TestProcess:
    async def test_readiness_shows_opened_resources(self, database: Database, vault: Vault) -> None:
        await database.dispose()
        url = database.engine.url.render_as_string(hide_password=False)

        async def open_resources(process: Process) -> None:
            await open_database(process, url=url)
            identity = open_identity(process, vault)
            await process.enter(identity.following())

        answer = await _get_readyz(open_resources)
        assert answer.json() == {"status": "ready", "database": "ok", "revocations": "ok"}

    async def test_revocations_are_down_when_nothing_follows_them(self, vault: Vault) -> None:
        async def open_resources(process: Process) -> None:
            open_identity(process, vault)

        answer = await _get_readyz(open_resources)
        assert answer.json() == {"status": "ready", "revocations": "down"}

    async def test_contexts_are_exited_last_in_first_out_when_the_process_ends(self) -> None:
        events: list[str] = []

        @asynccontextmanager
        async def context(name: str) -> AsyncIterator[None]:
            events.append(f"{name} opened")
            yield
            events.append(f"{name} closed")

        async def open_resources(process: Process) -> None:
            await process.enter(context("database"))
            await process.enter(context("broker"))

        await _get_readyz(open_resources)
        assert events == ["database opened", "broker opened", "broker closed", "database closed"]
