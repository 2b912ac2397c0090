import asyncio
from collections.abc import AsyncIterator

import pytest

from bongsu.runtime.healthcheck import is_alive, main
from tests.ports import free_port


@pytest.fixture
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """A server that answers every request with the bytes that the test sets."""
    answer: bytes | None = request.param

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readline()).startswith(b"GET /healthz ")
        if answer is not None:
            writer.write(answer)
            await writer.drain()
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


class TestIsAlive:
    @pytest.mark.parametrize("port", [b"HTTP/1.1 200 OK\r\n\r\n"], indirect=True)
    async def test_process_is_alive_when_it_answers_200(self, port: int) -> None:
        assert await asyncio.to_thread(is_alive, port, timeout_s=30)

    @pytest.mark.parametrize("port", [b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b"", b"200\r\n"], indirect=True)
    async def test_process_is_not_alive_when_it_answers_anything_else(self, port: int) -> None:
        assert not await asyncio.to_thread(is_alive, port, timeout_s=30)

    @pytest.mark.parametrize("port", [None], indirect=True)
    async def test_process_is_not_alive_when_it_does_not_answer_in_time(self, port: int) -> None:
        assert not await asyncio.to_thread(is_alive, port, timeout_s=0.05)

    def test_process_is_not_alive_when_the_port_is_closed(self) -> None:
        assert not is_alive(free_port())


class TestMain:
    @pytest.mark.parametrize("port", [b"HTTP/1.1 200 OK\r\n\r\n"], indirect=True)
    async def test_port_comes_from_the_environment(self, port: int) -> None:
        assert await asyncio.to_thread(main, {"PORT": str(port)}) == 0
        assert main({"PORT": str(free_port())}) == 1
