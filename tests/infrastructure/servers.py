"""The pytest plugin that gives tests a MySQL and a RabbitMQ.

They are the ones that TEST_MYSQL_URL and TEST_AMQP_URL name, else private ones.
A private server belongs to the run: all xdist workers share it, it starts in the background as soon as a collected
test turns out to need it (tests that need RabbitMQ, the slow one, come last), and the process that runs pytest ends it.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pymysql
import pytest

from tests.eventually import wait_until
from tests.infrastructure import private_server
from tests.infrastructure.needs import NotRunSummary, cannot_run

WORKER_INPUT = "private_server_folder"


@dataclass(frozen=True)
class ServerKind:
    """One kind of server. ``name`` is also the marker of the tests that need it."""

    name: str
    title: str
    variable: str
    package: str
    find: Callable[[], str | None]

    @property
    def remedy(self) -> str:
        return f"install {self.package} or set {self.variable}"

    @property
    def is_available(self) -> bool:
        return self.given_url is not None or self.find() is not None

    @property
    def is_private(self) -> bool:
        return self.given_url is None and self.find() is not None

    @property
    def given_url(self) -> str | None:
        return os.environ.get(self.variable) or None

    def is_needed_by(self, item: pytest.Item) -> bool:
        return item.get_closest_marker(self.name) is not None


MYSQL = ServerKind("mysql", "MySQL", "TEST_MYSQL_URL", "mariadb-server", private_server.find_mysql)
AMQP = ServerKind("amqp", "RabbitMQ", "TEST_AMQP_URL", "rabbitmq-server", private_server.find_rabbitmq)
KINDS = (MYSQL, AMQP)
FIXTURES = {"mysql_server_url": MYSQL, "mysql_database_url": MYSQL, "mysql_templates": MYSQL, "amqp_server_url": AMQP}


class PrivateServers:
    """The private servers of one run, in one folder: every process of the run makes its own instance of this class."""

    def __init__(self, folder: Path, owner_pid: int) -> None:
        self.folder = folder
        self._owner_pid = owner_pid

    def start(self, kind: ServerKind) -> None:
        """Start the server in the background, unless another process of this run did."""
        folder = self.folder / kind.name
        try:
            folder.mkdir()
        except FileExistsError:
            return
        program = [sys.executable, "-m", private_server.__name__, kind.name, str(folder), str(self._owner_pid)]
        # Its own process group: Ctrl-C is for pytest, which then ends it. Its own streams: it must not hold a worker's.
        streams = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        pid = os.posix_spawn(sys.executable, program, environment, file_actions=streams, setpgroup=0)
        unfinished = folder / "supervisor.new"
        unfinished.write_text(str(pid))
        unfinished.rename(folder / "supervisor.pid")

    def wait(self, kind: ServerKind) -> None:
        """Wait until the server answers or has failed."""
        self.start(kind)
        state = self.folder / kind.name / "state.json"
        with contextlib.suppress(AssertionError):
            wait_until(state.exists, private_server.START_TIMEOUT_S + 10)

    def url(self, kind: ServerKind) -> str:
        self.wait(kind)
        state_file = self.folder / kind.name / "state.json"
        state = json.loads(state_file.read_text()) if state_file.exists() else {"error": "it gave no sign of life"}
        if "error" in state:
            pytest.fail(f"the private {kind.title} did not start: {state['error']}", pytrace=False)
        return str(state["url"])

    def end(self) -> None:
        """End every server and remove its files."""
        for pid_file in self.folder.glob("*/supervisor.pid"):
            pid = int(pid_file.read_text())
            try:
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):  # it ended by itself, or it is a worker's child
                continue
        deadline = time.monotonic() + 5
        while self.folder.exists() and time.monotonic() < deadline:
            shutil.rmtree(self.folder, ignore_errors=True)


SERVERS = pytest.StashKey[PrivateServers]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for kind in KINDS:
        config.addinivalue_line("markers", f"{kind.name}: needs {kind.title}; added to the tests that use its fixtures")
        if kind.given_url and config.option.allow_hosts and (host := urlsplit(kind.given_url).hostname):
            config.option.allow_hosts = f"{config.option.allow_hosts},{host}"
    worker_input: dict[str, object] | None = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[SERVERS] = PrivateServers(Path(str(worker_input[WORKER_INPUT])), os.getppid())
        return
    config.pluginmanager.register(NotRunSummary())
    folder = Path(tempfile.mkdtemp(prefix="bongsu-tests-"))
    config.stash[SERVERS] = PrivateServers(folder, os.getpid())
    config.add_cleanup(config.stash[SERVERS].end)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell an xdist worker where the run's servers are."""
    worker_input: dict[str, object] = node.workerinput  # type: ignore[attr-defined]  # xdist has no types for its nodes
    config: pytest.Config = node.config  # type: ignore[attr-defined]  # as above
    worker_input[WORKER_INPUT] = str(config.stash[SERVERS].folder)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests by the server they need, so that `-m "not amqp"` and the ordering below can tell."""
    for name in getattr(item, "fixturenames", ()):
        if (kind := FIXTURES.get(name)) and not kind.is_needed_by(item):
            item.add_marker(kind.name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=AMQP.is_needed_by)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    for kind in KINDS:
        if kind.is_private and any(kind.is_needed_by(item) for item in session.items):
            session.config.stash[SERVERS].start(kind)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for a server that is still starting before the test's own time-out begins to run."""
    for kind in KINDS:
        if kind.is_needed_by(item) and kind.is_private:
            item.config.stash[SERVERS].wait(kind)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [kind for kind in KINDS if kind.is_needed_by(item) and not kind.is_available]
    if missing:
        cannot_run(item, *((kind.title, kind.remedy) for kind in missing))


def server_url(config: pytest.Config, kind: ServerKind) -> str:
    if not kind.is_available:  # reached by getfixturevalue() only, which no marker announces
        pytest.fail(f"needs {kind.title}, but the test lacks the marker {kind.name!r}", pytrace=False)
    return kind.given_url or config.stash[SERVERS].url(kind)


@pytest.fixture(scope="session")
def mysql_server_url(pytestconfig: pytest.Config) -> str:
    """``mysql+aiomysql://user:password@host:port``, without a database; the account may create databases."""
    return urlsplit(server_url(pytestconfig, MYSQL))._replace(scheme="mysql+aiomysql", path="", query="").geturl()


@pytest.fixture(scope="session")
def amqp_server_url(pytestconfig: pytest.Config) -> str:
    """``amqp://user:password@host:port/``. All tests share the server: name queues after ``queue_prefix``."""
    return server_url(pytestconfig, AMQP)


@pytest.fixture
def queue_prefix() -> str:
    """A prefix for the queues and topics of this test, which no other test and no earlier run has."""
    return f"test-{secrets.token_hex(6)}."


def execute(server: str, statement: str) -> None:
    parts = urlsplit(server)
    connection = pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        # A test that left a transaction open makes DROP DATABASE wait: fail soon, and by name.
        init_command="SET SESSION lock_wait_timeout = 10",
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@pytest.fixture
def mysql_database_url(mysql_server_url: str) -> Iterator[str]:
    """``mysql+aiomysql://…/name?charset=utf8mb4`` of a fresh and empty database, dropped after the test."""
    name = f"test_{secrets.token_hex(8)}"
    execute(mysql_server_url, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield f"{mysql_server_url}/{name}?charset=utf8mb4"
    execute(mysql_server_url, f"DROP DATABASE {name}")


@pytest.fixture
def sqlite_database_url(tmp_path: Path) -> str:
    """``sqlite+aiosqlite:///…`` of a file that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite3'}"


@pytest.fixture(
    params=["sqlite", pytest.param("mariadb-aiomysql", marks=pytest.mark.mysql)],
)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh and empty database: the test runs once on SQLite and once on MySQL or MariaDB."""
    fixture = "sqlite_database_url" if request.param == "sqlite" else "mysql_database_url"
    return str(request.getfixturevalue(fixture))
