import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bongsu_notify.errors import FeedbackUnreachable
from bongsu_notify.feedback.fetching import MAX_BYTES, fetch


@asynccontextmanager
async def serving(*parts: bytes, status: str = "200 OK", headers: Sequence[str] = ()) -> AsyncIterator[str]:
    """A server that sends a body in parts, and closes the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.append(asyncio.current_task())
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write("\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode())
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.05)  # a reader that takes what has arrived gets this part alone
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has read enough
        finally:
            writer.close()

    handling: list[asyncio.Task[None] | None] = []
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await asyncio.gather(*(task for task in handling if task is not None))


class TestFetch:
    async def test_body_that_arrives_in_parts_is_read_whole(self) -> None:
        async with serving(b"-----BEGIN ", b"CERTIFICATE", b"-----") as url:
            assert await fetch(url) == b"-----BEGIN CERTIFICATE-----"

    async def test_largest_body_is_read_and_a_larger_one_refused(self) -> None:
        async with serving(b"x" * MAX_BYTES) as url:
            assert len(await fetch(url)) == MAX_BYTES
        async with serving(b"x" * MAX_BYTES, b"x") as url:
            with pytest.raises(FeedbackUnreachable):
                await fetch(url)

    async def test_redirect_is_not_followed(self) -> None:
        async with serving(b"secret") as target, serving(status="302 Found", headers=[f"Location: {target}"]) as url:
            with pytest.raises(FeedbackUnreachable):
                await fetch(url)

    async def test_address_without_a_server_is_unreachable(self) -> None:
        async with serving() as url:
            pass
        with pytest.raises(FeedbackUnreachable):
            await fetch(url)
