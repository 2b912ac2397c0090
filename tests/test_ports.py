import socket

from tests.ports import free_port


class TestFreePort:
    def test_returns_another_port_each_time(self) -> None:
        assert len({free_port() for _ in range(50)}) == 50

    def test_skips_a_port_that_a_server_uses(self) -> None:
        with socket.create_server(("127.0.0.1", free_port() + 1)) as server:
            assert free_port() != server.getsockname()[1]
