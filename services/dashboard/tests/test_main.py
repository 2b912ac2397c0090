import asyncio
import os
import sys
from pathlib import Path

import httpx
import pytest

from bongsu.process.server import run
from bongsu_dashboard.__main__ import pages
from tests.eventually import eventually
from tests.ports import free_port


class TestProcess:
    async def test_process_starts_and_reports_the_broker_when_it_is_unreachable(self, tmp_path: Path) -> None:
        port = free_port()
        environ = {
            "PATH": os.environ["PATH"],
            "PORT": str(port),
            "BONGSU_PUBLIC_URL": f"http://localhost:{port}",
            "AMQP_URL": "amqp://guest:guest@127.0.0.1:9/",
            "DASHBOARD_AUTH_URL": "http://127.0.0.1:9",
            "DASHBOARD_NOTIFY_URL": "http://127.0.0.1:9",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bongsu_dashboard", cwd=tmp_path, env=environ, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                ready = await _answer(client, "/readyz", process)
                assert (ready.status_code, ready.json()["broker"]) == (200, "down")
                assert (await client.get("/login")).status_code == 200
                assert (await client.get("/metrics")).status_code == 200
                down = await client.get("/account", headers={"Cookie": f"access-{port}=x.y.z"})
                assert down.status_code == 503
        finally:
            process.terminate()
            assert await process.wait() == 0

    def test_settings_that_are_wrong_are_named_in_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DASHBOARD_TIMEOUT_S", "soon")
        monkeypatch.setenv("DASHBOARD_ATUH_URL", "http://a")
        assert run(pages) == 1
        output = capsys.readouterr().err
        assert "DASHBOARD_TIMEOUT_S" in output
        assert "did you mean DASHBOARD_AUTH_URL?" in output


async def _answer(client: httpx.AsyncClient, path: str, process: asyncio.subprocess.Process) -> httpx.Response:
    async def answer() -> list[httpx.Response]:
        if process.returncode is not None:
            pytest.fail("the process ended")
        return [await client.get(path)]  # a response of status 500 is false

    return (await eventually(answer, ignoring=(httpx.TransportError,)))[0]
