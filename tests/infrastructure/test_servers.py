import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.eventually import wait_until
from tests.infrastructure import private_server
from tests.infrastructure.needs import cannot_run
from tests.infrastructure.servers import MYSQL

HOLD_THE_SERVER = """
import pathlib, time

def test_server_runs_until_the_process_is_killed(mysql_server_url):
    pathlib.Path("url").write_text(mysql_server_url)
    time.sleep(100)
"""


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

        def answers() -> bool:
            return private_server.answers(port, b"AMQP\x00\x00\x09\x01", lambda data: data[:1] == b"\x01")

        wait_until(answers)


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
        wait_until(lambda: url.exists() and url.read_text(), what="the server starts")
        port = urlsplit(url.read_text()).port
        assert port is not None
        assert is_open(port)

        run_that_holds_a_server.send_signal(how)
        run_that_holds_a_server.wait(timeout=60)

        wait_until(lambda: not is_open(port), what="the server ends")
        wait_until(lambda: not list(tmp_path.glob("bongsu-tests-*/mysql")), what="its files are removed")
