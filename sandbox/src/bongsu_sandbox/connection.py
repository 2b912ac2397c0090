"""Responses that never arrive: a reset connection, or silence."""

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
    """Resets the connection without a response."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport | None = scope[TRANSPORT]  # or uvloop's, which is of no common class
        if transport is None:
            await _break_answer(send)
            return
        reset(transport)
        # Until the server has seen the connection end, it logs a return without a response as an error.
        await wait_for_disconnect(receive)


class Silence(Response):
    """Sends nothing until the client disconnects or one of `until` finishes; then resets the connection."""

    def __init__(self, *until: Coroutine[Any, Any, object]) -> None:
        super().__init__()
        self.until = until

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = asyncio.create_task(wait_for_disconnect(receive))
        waits = [left, *(asyncio.create_task(one) for one in self.until)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            gone = left.done()
        finally:
            for wait in waits:
                wait.cancel()
        if not gone:
            await Reset()(scope, receive, send)


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client disconnects, discarding the rest of the body."""
    while (await receive())["type"] != "http.disconnect":
        pass


def reset(transport: asyncio.Transport) -> None:
    """Close with RST instead of FIN, as a crashed peer or a middlebox does."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        # A copy of the descriptor, as uvloop's stand-in for a socket has no setsockopt.
        with socket.socket(fileno=os.dup(sock.fileno())) as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()


async def _break_answer(send: Send) -> None:
    """Without the transport: send a response that ends before its promised byte."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
