import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.infrastructure import private_server
from tests.infrastructure.needs import cannot_run
from tests.infrastructure.servers import MYSQL

HOLD_THE_SERVER = """
import pathlib, time

def test_holds_the_server_until_it_is_told_to_stop(mysql_server_url):
    pathlib.Path("url").write_text(mysql_server_url)
    time.sleep(100)
"""


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about in {timeout_s} s"
        time.sleep(0.05)


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


class TestDatabaseUrl:
    async def test_the_database_is_empty_and_takes_text_of_any_script(self, database_url: str) -> None:
        engine = create_async_engine(database_url)
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE beacons (name VARCHAR(20))"))
            await connection.execute(text("INSERT INTO beacons VALUES ('봉수 🔥')"))
            found = await connection.scalar(text("SELECT name FROM beacons"))
        await engine.dispose()

        assert found == "봉수 🔥"


class TestAmqpServerUrl:
    def test_the_server_speaks_amqp(self, amqp_server_url: str) -> None:
        port = urlsplit(amqp_server_url).port
        assert port is not None
        greeted = lambda data: data[:1] == b"\x01"  # noqa: E731 - what wait_for() asks again and again
        wait_for(lambda: private_server.answers(port, b"AMQP\x00\x00\x09\x01", greeted), "the answer")


@pytest.mark.mysql
class TestPrivateServers:
    """The server must not outlive its run, however that run ends."""

    @pytest.fixture
    def run_that_holds_a_server(
        self, request: pytest.FixtureRequest, tmp_path: Path, pytestconfig: pytest.Config
    ) -> "subprocess.Popen[bytes]":
        if private_server.find_mysql() is None:
            cannot_run(request.node, ("a private MySQL", f"install {MYSQL.package}"))
        (tmp_path / "test_hold.py").write_text(HOLD_THE_SERVER)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TEST_")}
        environment |= {"PYTHONPATH": str(pytestconfig.rootpath), "TMPDIR": str(tmp_path)}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        # What a shell starts in the background ignores SIGINT, and so do its children unless they say otherwise.
        program = (
            "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.default_int_handler);"
            "sys.exit(pytest.main(['-q', '-p', 'tests.infrastructure.servers', 'test_hold.py']))"
        )
        command = [sys.executable, "-c", program]
        return subprocess.Popen(  # noqa: S603 - our own pytest on our own test
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
        )

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
    def test_the_server_ends_with_the_run(
        self, run_that_holds_a_server: "subprocess.Popen[bytes]", tmp_path: Path, how: signal.Signals
    ) -> None:
        url = tmp_path / "url"
        wait_for(lambda: url.exists() and bool(url.read_text()), "the server")
        port = urlsplit(url.read_text()).port
        assert port is not None
        assert is_open(port)

        run_that_holds_a_server.send_signal(how)
        run_that_holds_a_server.wait(timeout=60)

        wait_for(lambda: not is_open(port), "the end of the server")
        wait_for(lambda: not list(tmp_path.glob("bongsu-tests-*/mysql")), "the removal of its files")
