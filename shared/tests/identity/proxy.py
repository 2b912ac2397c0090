"""A proxy to a server that can go silent as behind a firewall: connections stay open, but no data arrives."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sqlalchemy import URL, make_url


class Proxy:
    """Forwards bytes; after `silence`, the connections that exist by then drop them, and so do new ones until `answer`.

    `silence(only_open=True)`: new ones forward.
    """

    def __init__(self, target: URL) -> None:
        self._target = target
        self._open: set[asyncio.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._silences_new = False

    def silence(self, *, only_open: bool = False) -> None:
        self._silences_new = not only_open
        for silent in self._open:
            silent.set()

    def answer(self) -> None:
        self._silences_new = False

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._target.host, self._target.port)
        silent = asyncio.Event()
        self._open.add(silent)
        if self._silences_new:
            silent.set()
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pass_on(source, sink, silent))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @staticmethod
    async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        with contextlib.closing(sink), contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if not silent.is_set():
                    sink.write(data)


@contextlib.asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[Proxy, URL]]:
    """Start a proxy for a database server; yield it, and the database's URL through it."""
    target = make_url(url)
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.connect, "127.0.0.1", 0)
    try:
        yield proxy, target.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await proxy.close()
