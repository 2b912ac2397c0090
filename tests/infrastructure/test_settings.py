"""What `[tool.pytest]` promises to every test."""

import socket
import warnings

import pytest


class TestSockets:
    async def test_nothing_beyond_localhost_is_reached(self) -> None:
        # 127.0.0.2 is this machine, but not on the list: without the guard, the connection would only be refused.
        with socket.socket() as connection, pytest.raises((UserWarning, RuntimeError), match=r"127\.0\.0\.2"):
            connection.connect(("127.0.0.2", 9))

    def test_localhost_is_reached(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as connection:
            connection.connect(server.getsockname())


class TestWarnings:
    def test_a_warning_is_an_error(self) -> None:
        with pytest.raises(DeprecationWarning):
            warnings.warn("old", DeprecationWarning, stacklevel=1)


class TestTimeouts:
    def test_every_test_has_a_timeout(self, pytestconfig: pytest.Config) -> None:
        assert float(pytestconfig.getini("timeout")) > 0


class TestStrictness:
    def test_unknown_markers_and_settings_are_errors(self, pytestconfig: pytest.Config) -> None:
        assert pytestconfig.getini("strict") is True
