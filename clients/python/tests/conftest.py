"""The real notify service for the client to call: in this process, and behind a port."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from bongsu.identity.callers import Identity
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_client import AsyncBongsuClient, Retries
from bongsu_notify.app import create_app
from bongsu_notify.settings import NotifySettings
from shared.tests.identity.seeds import SECRET, Seeds
from tests.eventually import eventually
from tests.fake import Fake
from tests.infrastructure.templates import Schema, WithTables
from tests.ports import free_port

ACCESS_KEY = "bak_test"
QUICK = Retries(first_pause_s=0.001)
BODY = {
    "channel": "email",
    "to": {"email": "kim@example.com"},
    "content": {"subject": "안녕하세요", "text": "봉수가 올랐습니다 🔥"},
}

Fault = Callable[[httpx.Response], httpx.Response]
"""Takes the service's answer; returns another one, or raises."""


@dataclass
class Api:
    """The app, under the URL that signatures cover."""

    app: FastAPI
    url: str

    @property
    def transport(self) -> httpx.ASGITransport:
        return httpx.ASGITransport(self.app)

    def client(
        self, *, secret_key: str = SECRET, retries: Retries = QUICK, transport: httpx.AsyncBaseTransport | None = None
    ) -> AsyncBongsuClient:
        return AsyncBongsuClient(
            self.url, ACCESS_KEY, secret_key, retries=retries, transport=transport or self.transport
        )


class Disturbed(httpx.AsyncBaseTransport):
    """Passes requests to the service, and puts a fault in the place of each of the first answers."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *faults: Fault) -> None:
        self._inner = inner
        self._faults = list(faults)
        self.sent_headers: list[httpx.Headers] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent_headers.append(request.headers.copy())
        answer = await self._inner.handle_async_request(request)
        return self._faults.pop(0)(answer) if self._faults else answer


@pytest.fixture
async def api(sqlite_with_tables: WithTables, fake: Fake) -> AsyncIterator[Api]:
    database = Database(sqlite_with_tables(Schema.of_models("notify")))
    vault = Vault.parse(Vault.new_key())
    url = f"http://localhost:{free_port()}"
    identity = Identity(vault=vault, public_url=url)
    app = create_app(settings=NotifySettings(), identity=identity, database=database)
    async with app.router.lifespan_context(app):
        seeds = Seeds(vault, fake)
        user = await seeds.user()
        await user.update(sending="live")
        await seeds.key(user.id)
        yield Api(app, url)
    await database.dispose()


@asynccontextmanager
async def listening(api: Api) -> AsyncIterator[None]:
    """Serve the app on the port of its URL."""
    port = httpx.URL(api.url).port
    assert port is not None
    server = uvicorn.Server(uvicorn.Config(api.app, host="localhost", port=port, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started or task.done())
    try:
        yield
    finally:
        server.should_exit = True
        await task
