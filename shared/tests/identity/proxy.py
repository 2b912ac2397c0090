"""A way to a server that can go silent, as a firewall makes it: nothing is closed, and nothing comes any more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sqlalchemy import URL, make_url


class Proxy:
    """Passes bytes to and fro; `silence` swallows those of the connections that there are by then."""

    def __init__(self, target: URL) -> None:
        self._target = target
        self._open: set[asyncio.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def silence(self) -> None:
        for silent in self._open:
            silent.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._target.host, self._target.port)
        silent = asyncio.Event()
        self._open.add(silent)
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
    """A proxy before the server of a database, and the database's URL by way of it."""
    target = make_url(url)
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.connect, "127.0.0.1", 0)
    try:
        yield proxy, target.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await proxy.close()
