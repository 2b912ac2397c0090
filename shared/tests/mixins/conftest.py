"""Databases for the mixins' tests: every table, empty, on SQLite and on MariaDB or MySQL by both of its drivers."""

import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, event, make_url

from bongsu.mixins import Database
from shared.tests.mixins.library import LibraryBase
from tests.infrastructure.servers import execute
from tests.infrastructure.templates import names_of_filled

BACKENDS = [
    "sqlite",
    pytest.param("aiomysql", marks=pytest.mark.mysql),
    pytest.param("asyncmy", marks=pytest.mark.mysql),
]


class Statements:
    """The statements that a database was sent, transaction control left out."""

    def __init__(self, database: Database) -> None:
        self.sent: list[str] = []
        event.listen(database.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, connection: object, cursor: object, statement: str, *rest: object) -> None:
        del connection, cursor, rest
        self.sent.append(statement)

    def take(self) -> list[str]:
        """Return the statements sent since the last call."""
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "library.sqlite3"
    engine = create_engine(f"sqlite:///{path}")
    LibraryBase.metadata.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def mysql_library(mysql_server_url: str) -> Iterator[Engine]:
    """A MySQL database of this process with every table."""
    name = f"test_mixins_{secrets.token_hex(8)}"
    execute(mysql_server_url, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    url = make_url(mysql_server_url).set(database=name, drivername="mysql+pymysql")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    LibraryBase.metadata.create_all(engine)
    yield engine
    engine.dispose()
    execute(mysql_server_url, f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def names_of_filled_tables() -> str:
    return names_of_filled(LibraryBase.metadata.tables.values())


def empty(engine: Engine, names: str) -> None:
    """Delete every row of the tables that the statement `names` returns."""
    with engine.connect() as connection:
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        for name in connection.exec_driver_sql(names).scalars().all():
            connection.execute(LibraryBase.metadata.tables[name].delete())


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The URL of a database with every table, empty."""
    if backend == "sqlite":
        path = tmp_path / "library.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return make_url(f"sqlite+aiosqlite:///{path}")
    mysql: Engine = request.getfixturevalue("mysql_library")
    empty(mysql, request.getfixturevalue("names_of_filled_tables"))
    return mysql.url.set(drivername=f"mysql+{backend}")


@pytest.fixture
async def db(url: URL) -> AsyncIterator[Database]:
    """The database of the tests' models."""
    # However busy the machine is: hundreds of tasks may wait for a connection.
    database = Database(url, LibraryBase, pool_size=5, max_overflow=10, pool_timeout=60)
    yield database
    await database.dispose()


@pytest.fixture
def statements(db: Database) -> Statements:
    return Statements(db)
