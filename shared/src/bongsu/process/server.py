"""Runs an ASGI app, and ends it within five seconds of a signal."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from errno import EADDRINUSE

import uvicorn
from starlette.types import ASGIApp

from bongsu.runtime.errors import StartError
from bongsu.runtime.stop import StopSignal

Main = Callable[[StopSignal], Awaitable[None]]
"""The main coroutine of a process: it runs until the signal is set."""

GRACE_S = 3
"""How long open requests may go on after the stop signal; the rest of five seconds is for closing everything."""

LIMIT_S = 4.8


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which re-raises the signal: nothing after `serve()` would run."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()
        self._ends = asyncio.Event()

    def end(self) -> None:
        """Begin to shut down."""
        self.should_exit = True
        self._ends.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.listens.set()

    async def main_loop(self) -> None:
        """Run until `end` is called: uvicorn 0.54 checks `should_exit` only every 0.1 s."""
        ticking = asyncio.create_task(super().main_loop())
        ends = asyncio.create_task(self._ends.wait())
        try:
            done, _ = await asyncio.wait({ticking, ends}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task  # raises its error
        finally:
            ticking.cancel()
            ends.cancel()
            await asyncio.gather(ticking, ends, return_exceptions=True)


def listen(host: str, port: int) -> socket.socket:
    """Bind the address before anything else starts, so that a port in use is one line for the operator.

    :raises StartError: the address is in use, or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol, and those of clients inherit it from this one:
    # without it, the body of a response waits for up to 40 ms until the client acknowledges the headers.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        reason = "already in use; stop the other program or set PORT" if error.errno == EADDRINUSE else error.strerror
        raise StartError(f"Cannot listen on {host}:{port}: {reason}") from error
    sock.set_inheritable(True)
    return sock


async def serve(
    app: ASGIApp,
    sock: socket.socket,
    stop: StopSignal,
    *,
    started: Callable[[], Awaitable[None]] | None = None,
    grace_s: int = GRACE_S,
) -> None:
    """Serve until `stop` is set, then finish open requests and the app's lifespan.

    `started` is awaited once the port answers: for work that calls the server itself, or that must not delay it. When
    it fails, the server ends and its error is raised here.

    :raises StartError: the app's lifespan failed, or the server did not start.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=grace_s,
        timeout_keep_alive=75,
        # The only WebSocket is that of the sandbox's gateway. Discord sends no pings: it reads heartbeats.
        ws_ping_interval=None,
    )
    server = _Server(config)

    async def end_on_stop() -> None:
        await stop.wait()
        server.end()

    async def call_started() -> None:
        await server.listens.wait()
        if started is not None:
            await started()

    def end_on_failure(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            server.end()

    ender = asyncio.create_task(end_on_stop())
    starter = asyncio.create_task(call_started())
    starter.add_done_callback(end_on_failure)
    try:
        await server.serve(sockets=[sock])
    finally:
        ender.cancel()
        starter.cancel()
        _, failure = await asyncio.gather(ender, starter, return_exceptions=True)
        sock.close()
    if isinstance(failure, Exception):
        raise failure
    if not server.started and not stop.is_set():
        raise StartError("The service did not start; see the log above")


def run(main: Main, *, limit_s: float = LIMIT_S) -> int:
    """Run a process's main coroutine and return the exit code.

    The first SIGINT or SIGTERM sets the stop signal; a second one, or five seconds, kills the process. A `StartError`
    is printed as one line without a traceback, and the exit code is 1.
    """

    async def supervised() -> None:
        loop = asyncio.get_running_loop()
        stop = StopSignal()

        def on_signal() -> None:
            if stop.is_set():
                os._exit(1)
            stop.set()
            loop.call_later(limit_s, _too_late)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        await main(stop)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        try:
            runner.run(supervised())
        except StartError as error:
            print(f"bongsu: {error}", file=sys.stderr)  # noqa: T201 - the process's last word, before or after logging
            return 1
    return 0


def run_named(mains: Mapping[str, Main], *, usage: str) -> int:
    """Run the main coroutine that the command line names; an empty name is for none. Return the exit code."""
    name = " ".join(sys.argv[1:])
    if name not in mains:
        print(f"usage: {usage}", file=sys.stderr)  # noqa: T201 - a command's usage
        return 2
    return run(mains[name])


def _too_late() -> None:
    print("bongsu: the process did not end within 5 s; exiting", file=sys.stderr)  # noqa: T201 - the process's last word
    os._exit(1)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop of a process."""
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415 - not available on Windows

    return uvloop.new_event_loop
