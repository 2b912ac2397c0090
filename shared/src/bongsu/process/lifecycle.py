"""A process from its first line of log to its last closed connection."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from socket import socket
from typing import TypeVar

from starlette.applications import Starlette
from starlette.types import ASGIApp

from bongsu.process.readiness import Check, add_readiness
from bongsu.process.server import listen, serve
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.settings import PlatformSettings
from bongsu.runtime.stop import StopSignal

T = TypeVar("T")


class Process:
    """What a process has opened, what its readiness depends on, and the port that it serves."""

    def __init__(self, platform: PlatformSettings, stop: StopSignal, sock: socket, stack: AsyncExitStack) -> None:
        self.platform = platform
        self.stop = stop
        self._socket = sock
        self._stack = stack
        self._required: dict[str, Check] = {}
        self._reported: dict[str, Check] = {}

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context manager, and exit it when the process ends: the last one first."""
        return await self._stack.enter_async_context(context)

    def require(self, name: str, check: Check) -> None:
        """Answer `/readyz` with 503 while the check fails."""
        self._required[name] = check

    def report(self, name: str, check: Check) -> None:
        """Show the check in `/readyz`, which stays 200 when it fails."""
        self._reported[name] = check

    async def serve(
        self,
        app: Starlette,
        *,
        behind: ASGIApp | None = None,
        started: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Serve `app`, with `/readyz`, until the stop signal is set.

        :param behind: the ASGI app that the port serves, where `app` is only a part of it.
        :param started: awaited once the port answers, as by `bongsu.process.server.serve`.
        :raises StartError: the app did not start.
        """
        add_readiness(app, required=self._required, reported=self._reported)
        await serve(behind or app, self._socket, self.stop, started=started)


@asynccontextmanager
async def open_process(platform: PlatformSettings, stop: StopSignal) -> AsyncIterator[Process]:
    """Configure the log and bind the port; at the end, close everything that the process has opened.

    :raises StartError: the port is taken.
    """
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    async with AsyncExitStack() as stack:
        sock = stack.enter_context(listen(platform.host, platform.port))
        yield Process(platform, stop, sock, stack)
