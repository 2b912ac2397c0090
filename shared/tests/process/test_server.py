"""A process that is started and stopped as operators do."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from bongsu.process.server import GRACE_S, LIMIT_S, listen, run_named, serve
from bongsu.runtime.stop import StopSignal
from tests.ports import free_port

PATIENCE_S = 100

PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    from contextlib import asynccontextmanager
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route
    from bongsu.runtime.errors import StartError
    from bongsu.process.server import listen, run, serve

    async def main(stop):
        @asynccontextmanager
        async def lifespan(_app):
            yield
            print("lifespan closed", flush=True)

        async def polite(_request):
            async def events():
                while not await stop.sleep(0.05):
                    yield b": tick\\n\\n"
            return StreamingResponse(events())

        async def rude(_request):
            async def events():
                while True:
                    yield b": tick\\n\\n"
                    await asyncio.sleep(0.05)
            return StreamingResponse(events())

        app = Starlette(routes=[Route("/polite", polite), Route("/rude", rude)], lifespan=lifespan)

        async def started():
            if "fail" in sys.argv:
                raise StartError("the work after the start failed")
            print("started", flush=True)

        grace_s = int(sys.argv[2])
        await serve(app, listen("127.0.0.1", int(sys.argv[1])), stop, started=started, grace_s=grace_s)
        print("all closed", flush=True)

    sys.exit(run(main, limit_s=300))
    """
)


@contextmanager
def _process(port: int, *arguments: str, grace_s: int = PATIENCE_S) -> Iterator[subprocess.Popen[str]]:
    """The program above, which no time limit ends: how long it takes depends on how busy the machine is."""
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, str(port), str(grace_s), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _wait_until_started(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"


class TestStop:
    def test_sigterm_drains_and_closes_the_lifespan(self) -> None:
        port = free_port()
        with _process(port) as process:
            _wait_until_started(process)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, out) == (0, "lifespan closed\nall closed\n"), err
        assert "Traceback" not in err

    def test_event_stream_ends_immediately_when_it_watches_the_signal(self) -> None:
        port = free_port()
        with _process(port) as process:
            _wait_until_started(process)
            with httpx.stream("GET", f"http://127.0.0.1:{port}/polite", timeout=PATIENCE_S) as stream:
                chunks = stream.iter_bytes()
                next(chunks)
                begun = time.monotonic()
                process.send_signal(signal.SIGINT)
                for _ in chunks:  # a stream that is cut, as the one below, raises here
                    pass
                ended_after_s = time.monotonic() - begun
                process.wait(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert ended_after_s < PATIENCE_S

    def test_event_stream_is_cut_after_the_grace_when_it_does_not(self) -> None:
        port = free_port()
        with _process(port, grace_s=1) as process:
            _wait_until_started(process)
            with httpx.stream("GET", f"http://127.0.0.1:{port}/rude", timeout=PATIENCE_S) as stream:
                next(stream.iter_bytes())
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=PATIENCE_S)
        assert process.returncode == 0

    def test_grace_leaves_time_to_close_within_five_seconds(self) -> None:
        assert GRACE_S + 1 < LIMIT_S < 5

    def test_second_signal_kills_the_process(self) -> None:
        port = free_port()
        with _process(port) as process:
            _wait_until_started(process)
            with httpx.stream("GET", f"http://127.0.0.1:{port}/rude", timeout=PATIENCE_S) as stream:
                next(stream.iter_bytes())
                process.send_signal(signal.SIGTERM)
                while process.poll() is None and httpx_refuses(port) is False:
                    pass
                process.send_signal(signal.SIGTERM)
                _, err = process.communicate(timeout=PATIENCE_S)
        # Neither after the stream, which exits with 0, nor at the time limit, which prints a line.
        assert (process.returncode, err) == (1, "")


def httpx_refuses(port: int) -> bool:
    """Return True if the port refuses connections, the first sign that the stop has begun."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return False
    except OSError:
        return True


class TestStarted:
    def test_process_ends_with_the_error_when_work_after_the_start_fails(self) -> None:
        with _process(free_port(), "fail") as process:
            out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, out) == (1, "lifespan closed\n")
        assert err.strip() == "bongsu: the work after the start failed"


class TestServe:
    async def test_server_ends_before_uvicorn_checks_for_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def check_never(_server: uvicorn.Server) -> None:
            await asyncio.get_running_loop().create_future()

        monkeypatch.setattr(uvicorn.Server, "main_loop", check_never)
        stop = StopSignal()

        async def end() -> None:
            stop.set()

        async with asyncio.timeout(60):
            await serve(FastAPI(), listen("127.0.0.1", 0), stop, started=end)

    async def test_error_of_uvicorns_loop_is_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(_server: uvicorn.Server) -> None:
            raise RuntimeError("the loop failed")

        monkeypatch.setattr(uvicorn.Server, "main_loop", fail)
        async with asyncio.timeout(60):
            with pytest.raises(RuntimeError, match="the loop failed"):
                await serve(FastAPI(), listen("127.0.0.1", 0), StopSignal())


class TestListen:
    def test_port_in_use_is_one_line(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with _process(port) as process:
                out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, out) == (1, "")
        assert (
            err.strip()
            == f"bongsu: Cannot listen on 127.0.0.1:{port}: already in use; stop the other program or set PORT"
        )

    async def test_response_is_sent_without_delay_when_it_is_written_in_parts(self) -> None:
        is_without_delay: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            is_without_delay.set_result(
                writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            )
            writer.close()

        sock = listen("127.0.0.1", 0)
        async with await asyncio.start_server(accept, sock=sock):
            _, writer = await asyncio.open_connection(*sock.getsockname())
            assert await is_without_delay
            writer.close()


class TestRunNamed:
    def test_named_process_is_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runs: list[str] = []

        async def api(_stop: StopSignal) -> None:
            runs.append("api")

        async def worker(_stop: StopSignal) -> None:
            runs.append("worker")

        monkeypatch.setattr(sys, "argv", ["program", "worker"])
        assert run_named({"api": api, "worker": worker}, usage="program api|worker") == 0
        assert runs == ["worker"]

    @pytest.mark.parametrize("arguments", [[], ["other"], ["api", "api"]])
    def test_usage_is_printed_when_the_name_is_unknown(
        self, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def api(_stop: StopSignal) -> None:
            raise AssertionError

        monkeypatch.setattr(sys, "argv", ["program", *arguments])
        assert run_named({"api": api}, usage="program api") == 2
        assert capsys.readouterr().err == "usage: program api\n"
