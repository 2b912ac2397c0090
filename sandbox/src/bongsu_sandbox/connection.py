"""Answers that are none: cutting a connection, or never answering on it."""

import asyncio
import os
import socket
import struct
from collections.abc import Coroutine
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bongsu_sandbox.access import TRANSPORT

_LINGER_NONE = struct.pack("ii", 1, 0)


class Reset(Response):
    """Ends the connection without a byte of an answer; the client sees it reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport | None = scope[TRANSPORT]  # or uvloop's, which is of no common class
        if transport is None:
            await _break_answer(send)
            return
        reset(transport)
        # The server takes a return without an answer for a fault of ours until it has seen the connection end.
        await disconnected(receive)


class Silence(Response):
    """Keeps the connection open without an answer until the client gives up or one of `until` is done; then cuts it."""

    def __init__(self, *until: Coroutine[Any, Any, object]) -> None:
        super().__init__()
        self.until = until

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = asyncio.create_task(disconnected(receive))
        waits = [left, *(asyncio.create_task(one) for one in self.until)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            gone = left.done()
        finally:
            for wait in waits:
                wait.cancel()
        if not gone:
            await Reset()(scope, receive, send)


async def disconnected(receive: Receive) -> None:
    """Return when the client is gone, reading past whatever is left of the body."""
    while (await receive())["type"] != "http.disconnect":
        pass


def reset(transport: asyncio.Transport) -> None:
    """Close with RST instead of FIN: what a client sees of a crashed peer or a cut by a middlebox."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        # A copy of the descriptor, as uvloop's stand-in for a socket has no setsockopt.
        with socket.socket(fileno=os.dup(sock.fileno())) as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()


async def _break_answer(send: Send) -> None:
    """Where the transport is out of reach: an answer that promises a byte and ends before it."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
