"""The sandbox as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx
import pytest

from bongsu.process.server import run
from bongsu_sandbox.__main__ import main
from sandbox.tests.letters import simple
from sandbox.tests.mailbox.test_endpoints import SIGNED
from tests.eventually import eventually
from tests.infrastructure import forked
from tests.ports import free_port

SEND = "/sandbox/ses/v2/email/outbound-emails"


@asynccontextmanager
async def process(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A sandbox in a process of its own, and its URL; killed at the end unless it ended before."""
    port = free_port()
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bongsu_sandbox",
        env=environment(folder, port),
        cwd=folder,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started, f"http://127.0.0.1:{port}"
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


@contextmanager
def copy(folder: Path) -> Iterator[tuple[ForkServerProcess, str]]:
    """The same in a copy of a process that has imported it; it prints to `log` in the folder."""
    port = free_port()
    started = forked.start_module(
        "bongsu_sandbox", environ=environment(folder, port), folder=folder, output=folder / "log"
    )
    try:
        yield started, f"http://127.0.0.1:{port}"
    finally:
        started.kill()
        started.join()


def environment(folder: Path, port: int) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PORT": str(port), "SANDBOX_DATA_DIR": str(folder / "data")}


async def answers(client: httpx.AsyncClient, has_ended: Callable[[], bool]) -> None:
    async def is_healthy() -> bool:
        if has_ended():
            pytest.fail("the process ended")
        return (await client.get("/healthz")).status_code == 200

    await eventually(is_healthy, ignoring=(httpx.TransportError,))


class TestMain:
    async def test_accepted_mail_survives_a_kill(self, tmp_path: Path) -> None:
        with copy(tmp_path) as (started, url):
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                await answers(client, lambda: started.exitcode is not None)
                for number in range(20):
                    await client.post(SEND, json=simple("kim@example.com", subject=f"{number} 🔥"), headers=SIGNED)
                started.kill()
                started.join()
        with copy(tmp_path) as (again, url):
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                await answers(client, lambda: again.exitcode is not None)
                mails = (await client.get("/sandbox/mailbox")).json()["items"]
                ledger = (await client.get("/sandbox/ledger")).json()["items"]
        assert [mail["subject"] for mail in mails] == [f"{number} 🔥" for number in range(19, -1, -1)]
        assert [entry["subject"] for entry in ledger] == [f"{number} 🔥" for number in range(20)]

    async def test_process_stops_in_time_when_a_request_hangs(self, tmp_path: Path) -> None:
        async with process(tmp_path) as (started, url), httpx.AsyncClient(base_url=url, timeout=60) as client:
            await answers(client, lambda: started.returncode is not None)
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
        with copy(tmp_path) as (started, url):
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                await answers(client, lambda: started.exitcode is not None)
                await client.post("/sandbox/faults", json={"target": "ses", "kind": "accept_then_reset"})
                with pytest.raises(httpx.ReadError):
                    await client.post(SEND, json=simple(), headers=SIGNED)
                assert len((await client.get("/sandbox/ledger")).json()["items"]) == 1
            started.terminate()
            started.join()
        log = (tmp_path / "log").read_text()
        assert "Traceback" not in log
        assert "ASGI" not in log

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({"BONGSU_PUBLIC_URL": "https://bongsu.example"}, "BONGSU_PUBLIC_URL is local"),
            ({"SANDBOX_MAILBOX_MAX_MAILS": "0"}, "SANDBOX_MAILBOX_MAX_MAILS"),
            ({"SANDBOX_SPEED": "1"}, "SANDBOX_SPEED is not a setting"),
            ({"SANDBOX_DATA_DIR": "/dev/null/x"}, "Cannot use /dev/null/x (Not a directory): fix or remove it"),
            ({"SANDBOX_DATA_DIR": "/dev/null"}, "Cannot use /dev/null (File exists): fix or remove it"),
        ],
    )
    def test_start_error_is_one_line(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        environ: dict[str, str],
        words: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name, value in (environment(tmp_path, free_port()) | environ).items():
            monkeypatch.setenv(name, value)
        assert run(main) == 1
        log = capsys.readouterr().err
        assert words in log
        assert log.count("\n") == 1
