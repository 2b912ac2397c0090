"""Call an ASGI app in this process with many concurrent requests and almost no overhead of a client."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message

CONCURRENCY = 16


@dataclass(frozen=True)
class Call:
    """One request: by default a POST of JSON."""

    path: str
    body: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    method: str = "POST"


async def post(app: ASGIApp, call: Call, *, expects: int) -> bytes:
    """Send a request and return the body of the response.

    :raises AssertionError: the response has another status.
    """
    sent, status = bytearray(), 0

    async def receive() -> Message:
        return {"type": "http.request", "body": call.body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            sent.extend(message.get("body", b""))

    headers = [
        (b"host", b"localhost:8000"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(call.body)).encode()),
        *call.headers,
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 8000),
    }
    await app(scope, receive, send)
    if status != expects:
        raise AssertionError(f"{call.path} answered {status}: {bytes(sent[:500])!r}")
    return bytes(sent)


def json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


async def run_concurrently(operations: int, once: Callable[[int], Awaitable[object]], width: int = CONCURRENCY) -> None:
    """Call `once` with each number below `operations`, `width` calls at a time."""
    numbers = iter(range(operations))

    async def worker() -> None:
        for number in numbers:
            await once(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(width, operations)):
            group.create_task(worker())
