"""A TCP proxy that a test can cut, as a network would."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

PIECE_BYTES = 65536


class CuttableProxy:
    """Forwards connections from clients to a server."""

    def __init__(self, target_url: str) -> None:
        self._target = urlsplit(target_url)
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = True
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        """The target's URL through the proxy."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        credentials = self._target.netloc.rpartition("@")[0]
        return self._target._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()

    @property
    def connections(self) -> int:
        """The number of connected clients."""
        return len(self._pipes) // 2

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def restore(self) -> None:
        """Let connections through again."""
        self._open = True

    def freeze(self) -> None:
        """Keep connections open and forward nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Forward the bytes held back by `freeze`."""
        self._flowing.set()

    async def close(self) -> None:
        self.thaw()
        self.cut()
        if self._server is not None:
            self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        if self._pipes:
            await asyncio.wait(self._pipes)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port or 5672)
        self._writers |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            pipe = asyncio.create_task(self._pump(source, sink))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while piece := await source.read(PIECE_BYTES):
                    await self._flowing.wait()
                    sink.write(piece)
                    await sink.drain()
        finally:
            self._writers.discard(sink)
            sink.close()
