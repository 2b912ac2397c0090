"""Pages of the dashboard, warm, in the one-process mode: how long the server takes, its CPU time, and the bytes loaded.

The process is one of its own, on SQLite and with the sandbox: a page's calls of auth, notify and the bot are its too.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

import httpx

from tests.eventually import eventually
from tests.ports import free_port

NAME: Final = "pages of the dashboard"
WARM_UP: Final = 30
REQUESTS: Final = 200
AIM_S: Final = 0.025
LIMIT_BYTES: Final = 60_000
MANAGER: Final = "200000000000000001"
"""The persona of the sandbox who manages three guilds."""
ASSET: Final = re.compile(r'(?:href|src)="(/static/[^"]+)"')
_GUILD: Final = re.compile(r'href="(/guilds/\d+)"')
_TICKS_A_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Page:
    """What a page costs the server in seconds, and the browser in compressed bytes with all that the page loads.

    :param cpu_s: None where the system does not tell.
    """

    name: str
    p50_s: float
    p95_s: float
    cpu_s: float | None
    size_bytes: int

    @property
    def is_kept(self) -> bool:
        """Whether its bytes are below the limit; the times depend on what else the machine does."""
        return self.size_bytes < LIMIT_BYTES

    def __str__(self) -> str:
        verdict = "kept" if self.is_kept else "MISSED"
        cpu = "" if self.cpu_s is None else f", {self.cpu_s * 1e3:.1f} ms of CPU"
        return (
            f"{NAME}, {self.name}: p50 {self.p50_s * 1e3:.1f} ms, p95 {self.p95_s * 1e3:.1f} ms (aim {AIM_S * 1e3:g})"
            f"{cpu}, {self.size_bytes:,} bytes (budget {LIMIT_BYTES:,}): {verdict}"
        )


def can_measure() -> bool:
    """Everywhere: it needs no server."""
    return True


async def measure() -> list[Page]:
    """Measure a guild with the bot, the list of guilds, and the first page."""
    async with _running() as (client, pid):
        guild = await eventually(lambda: _find_active_guild(client))
        assert guild is not None  # noqa: S101 - as it is waited for
        paths = {"guild": guild, "list of guilds": "/guilds", "first page": "/"}
        return [await _measure(client, pid, name, path) for name, path in paths.items()]


async def _measure(client: httpx.AsyncClient, pid: int, name: str, path: str) -> Page:
    for _ in range(WARM_UP):
        await _get(client, path)
    took_s, used_before = [], _read_cpu_s(pid)
    for _ in range(REQUESTS):
        start = time.perf_counter()
        await _get(client, path)
        took_s.append(time.perf_counter() - start)
    used = _read_cpu_s(pid)
    cpu_s = (used - used_before) / REQUESTS if used is not None and used_before is not None else None
    page = await _get(client, path)
    loaded = [page, *[await _get(client, url) for url in dict.fromkeys(ASSET.findall(page.text))]]
    percentiles = quantiles(took_s, n=20, method="inclusive")
    return Page(name, percentiles[9], percentiles[18], cpu_s, sum(one.num_bytes_downloaded for one in loaded))


async def _find_active_guild(client: httpx.AsyncClient) -> str | None:
    """The path of the guild that has the bot, once the bot is connected."""
    for path in dict.fromkeys(_GUILD.findall((await _get(client, "/guilds")).text)):
        if 'data-state="active"' in (await _get(client, path)).text:
            return str(path)
    return None


async def _get(client: httpx.AsyncClient, path: str) -> httpx.Response:
    return (await client.get(path)).raise_for_status()


def _read_cpu_s(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_S


@asynccontextmanager
async def _running() -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """The process, and a browser in which a manager of guilds is signed in."""
    port = free_port()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bongsu_launcher", "up"),
            env=kept | {"PORT": str(port), "BONGSU_VAR": f"{folder}/var"},
            cwd=folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        url = f"http://localhost:{port}"
        headers = {"Accept-Encoding": "gzip", "Accept-Language": "ko", "Origin": url}
        try:
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
                await eventually(lambda: _is_ready(client), 60)
                await _sign_in(client)
                yield client, process.pid
        finally:
            process.terminate()
            await process.wait()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).is_success
    except httpx.TransportError:
        return False


async def _sign_in(client: httpx.AsyncClient) -> None:
    begun = await client.get("/auth/oauth/discord/authorize", params={"next": "/guilds"})
    allowed = await client.post(begun.headers["location"], data={"persona": MANAGER, "decision": "allow"})
    await client.get(allowed.headers["location"])
