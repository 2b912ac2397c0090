"""The sandbox as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from sandbox.tests.letters import simple
from sandbox.tests.mailbox.test_endpoints import SIGNED
from tests.eventually import eventually
from tests.ports import free_port

SEND = "/sandbox/ses/v2/email/outbound-emails"


@asynccontextmanager
async def process(folder: Path, **environ: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A sandbox in a process of its own, and its URL; killed at the end unless it ended before."""
    port = free_port()
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bongsu_sandbox",
        env={"PATH": os.environ["PATH"], "PORT": str(port), "SANDBOX_DATA_DIR": str(folder / "data"), **environ},
        cwd=folder,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started, f"http://127.0.0.1:{port}"
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def answers(client: httpx.AsyncClient, started: asyncio.subprocess.Process) -> None:
    async def is_healthy() -> bool:
        if started.returncode is not None:
            pytest.fail("the process ended")
        return (await client.get("/healthz")).status_code == 200

    await eventually(is_healthy, ignoring=(httpx.TransportError,))


class TestMain:
    async def test_accepted_mail_survives_a_kill(self, tmp_path: Path) -> None:
        async with process(tmp_path) as (started, url), httpx.AsyncClient(base_url=url, timeout=60) as client:
            await answers(client, started)
            for number in range(20):
                await client.post(SEND, json=simple("kim@example.com", subject=f"{number} 🔥"), headers=SIGNED)
            started.kill()
            await started.wait()
        async with process(tmp_path) as (started, url), httpx.AsyncClient(base_url=url, timeout=60) as client:
            await answers(client, started)
            mails = (await client.get("/sandbox/mailbox")).json()["items"]
            ledger = (await client.get("/sandbox/ledger")).json()["items"]
        assert [mail["subject"] for mail in mails] == [f"{number} 🔥" for number in range(19, -1, -1)]
        assert [entry["subject"] for entry in ledger] == [f"{number} 🔥" for number in range(20)]

    async def test_process_stops_in_time_when_a_request_hangs(self, tmp_path: Path) -> None:
        async with process(tmp_path) as (started, url), httpx.AsyncClient(base_url=url, timeout=60) as client:
            await answers(client, started)
            await client.post("/sandbox/faults", json={"target": "ses", "kind": "accept_then_hang"})
            hanging = asyncio.create_task(client.post(SEND, json=simple(), headers=SIGNED))

            async def is_accepted() -> bool:
                return bool((await client.get("/sandbox/ledger")).json()["items"])

            await eventually(is_accepted)
            started.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(started.wait(), 60) == 0
            with pytest.raises(httpx.TransportError):
                await hanging
            assert started.stderr is not None
            assert b"Traceback" not in await started.stderr.read()

    async def test_connection_is_reset_under_the_real_event_loop(self, tmp_path: Path) -> None:
        async with process(tmp_path) as (started, url), httpx.AsyncClient(base_url=url, timeout=60) as client:
            await answers(client, started)
            await client.post("/sandbox/faults", json={"target": "ses", "kind": "accept_then_reset"})
            with pytest.raises(httpx.ReadError):
                await client.post(SEND, json=simple(), headers=SIGNED)
            assert len((await client.get("/sandbox/ledger")).json()["items"]) == 1
            started.send_signal(signal.SIGTERM)
            await started.wait()
            assert started.stderr is not None
            assert b"Traceback" not in (log := await started.stderr.read())
            assert b"ASGI" not in log

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({"BONGSU_PUBLIC_URL": "https://bongsu.example"}, b"BONGSU_PUBLIC_URL is local"),
            ({"SANDBOX_MAILBOX_MAX_MAILS": "0"}, b"SANDBOX_MAILBOX_MAX_MAILS"),
            ({"SANDBOX_SPEED": "1"}, b"SANDBOX_SPEED is not a setting"),
            ({"SANDBOX_DATA_DIR": "/dev/null/x"}, b"Cannot use /dev/null/x (Not a directory): fix or remove it"),
            ({"SANDBOX_DATA_DIR": "/dev/null"}, b"Cannot use /dev/null (File exists): fix or remove it"),
        ],
    )
    async def test_start_error_is_one_line(self, tmp_path: Path, environ: dict[str, str], words: bytes) -> None:
        async with process(tmp_path, **environ) as (started, _url):
            _out, log = await started.communicate()
            assert started.returncode == 1
        assert words in log
        assert log.count(b"\n") == 1
