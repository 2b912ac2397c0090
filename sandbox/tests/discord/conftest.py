"""Discord's stand-in over HTTP and over a websocket, as a bot and a sign-in call it."""

import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import httpx
import pytest

from bongsu_sandbox.running import RunningSandbox

API = "/sandbox/discord/api/v10"
CONTROL = "/sandbox/discord/control"
APPLICATION = "1100000000000000001"
TOKEN = "MTEwMDAwMDAwMDAwMDAwMDAwMQ.sandbox.bot-token"
BOT = {"Authorization": f"Bot {TOKEN}"}
INTENTS = 1


class Socket:
    """A bot's end of the gateway."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, compressed: bool) -> None:
        self._socket = socket
        self._inflator = zlib.decompressobj() if compressed else None
        self.sequence: int | None = None

    async def next(self) -> dict[str, Any]:
        """The next message; a close is `{"close": code}`."""
        message = await self._socket.receive(timeout=30)
        if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}:
            return {"close": self._socket.close_code}
        data = message.data
        if self._inflator is not None:
            assert data.endswith(b"\x00\x00\xff\xff")
            data = self._inflator.decompress(data)
        found: dict[str, Any] = json.loads(data)
        self.sequence = found["s"] or self.sequence
        return found

    async def until(self, event: str) -> dict[str, Any]:
        """The data of the next event of this name."""
        while True:
            message = await self.next()
            assert "close" not in message, message
            if message["t"] == event:
                data: dict[str, Any] = message["d"]
                return data

    async def send(self, op: int, data: object = None) -> None:
        """Send a message."""
        await self._socket.send_json({"op": op, "d": data})

    async def send_text(self, text: str) -> None:
        """Send anything."""
        await self._socket.send_str(text)

    async def identify(self, **changes: object) -> dict[str, Any]:
        """HELLO, IDENTIFY; what comes then is READY or the refusal."""
        assert (await self.next())["op"] == 10
        await self.send(2, {"token": TOKEN, "intents": INTENTS, "properties": {}, **changes})
        return await self.next()

    async def resume(self, session_id: str, sequence: int | None) -> dict[str, Any]:
        """HELLO, RESUME; what comes then."""
        assert (await self.next())["op"] == 10
        await self.send(6, {"token": TOKEN, "session_id": session_id, "seq": sequence})
        return await self.next()


Connect = Callable[..., AbstractAsyncContextManager[Socket]]


@pytest.fixture
def connect(sandbox: RunningSandbox) -> Connect:
    """Opens a connection to the gateway."""

    @asynccontextmanager
    async def open_socket(query: str = "v=10&encoding=json", **headers: str) -> AsyncIterator[Socket]:
        url = f"{sandbox.url}/sandbox/discord/gateway?{query}".replace("http://", "ws://")
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as socket:
            yield Socket(socket, compressed="zlib-stream" in query)

    return open_socket


@pytest.fixture
def bot(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client with the bot's token."""
    http.headers.update(BOT)
    return http
