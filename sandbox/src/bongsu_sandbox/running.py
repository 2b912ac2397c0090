"""A sandbox for tests: on a real server with a free port, in the test's event loop."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from bongsu.process.server import listen, serve
from bongsu.runtime.settings import PlatformSettings
from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.app import create_app
from bongsu_sandbox.settings import SandboxSettings

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The sandbox speaks HTTP, and to load certificates takes 20 ms."""


@dataclass(frozen=True)
class RunningSandbox:
    """A running sandbox. `ses_url` is an AWS client's `endpoint_url`."""

    url: str
    http: httpx.AsyncClient

    @property
    def ses_url(self) -> str:
        return f"{self.url}/sandbox/ses"

    async def mailbox(self, **query: str | int) -> list[dict[str, Any]]:
        return await self._items("/sandbox/mailbox", query)

    async def ledger(self) -> list[dict[str, Any]]:
        return await self._items("/sandbox/ledger", {})

    async def fault(self, kind: str, *, target: str = "ses", **fields: object) -> None:
        answer = await self.http.post("/sandbox/faults", json={"target": target, "kind": kind, **fields})
        answer.raise_for_status()

    async def clear_faults(self) -> None:
        (await self.http.delete("/sandbox/faults")).raise_for_status()

    async def _items(self, path: str, query: dict[str, str | int]) -> list[dict[str, Any]]:
        answer = await self.http.get(path, params=query)
        answer.raise_for_status()
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@asynccontextmanager
async def running(settings: SandboxSettings) -> AsyncIterator[RunningSandbox]:
    """Run a sandbox within the block."""
    stop = StopSignal()
    app = create_app(settings, PlatformSettings(), stop=stop)
    sock = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    started = asyncio.Event()

    async def note_start() -> None:
        started.set()

    server = asyncio.create_task(serve(app, sock, stop, started=note_start))
    waiter = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({server, waiter}, return_when=asyncio.FIRST_COMPLETED)
        async with httpx.AsyncClient(base_url=url, timeout=60, verify=_NO_CERTIFICATES) as client:
            yield RunningSandbox(url, client)
    finally:
        waiter.cancel()
        stop.set()
        await server
