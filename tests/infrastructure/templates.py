"""Databases with tables for tests. To create tables takes longer than most tests, so they are created once a process.

A SQLite file is copied for each test. A MySQL database is lent to one test at a time, and emptied after it. A test that
changes tables uses `database_url` instead, whose database is its own.
"""

import asyncio
import secrets
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import String, TableClause, create_engine, delete, inspect, literal, make_url, select, table, union_all
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError

from bongsu.mixins import Database
from bongsu.runtime.migrations import upgrade
from bongsu.runtime.revisions import MigrationSet
from tests.infrastructure.servers import execute


@dataclass(frozen=True)
class Schema:
    """Tables, created by `create` in an empty database. Two schemas have two names."""

    name: str
    create: Callable[[Database], Awaitable[None]]

    @classmethod
    def migrated(cls, name: str, *sets: MigrationSet) -> Self:
        """The tables that migrations create."""
        return cls(name, lambda database: upgrade(database.engine, sets))

    @classmethod
    def of_models(cls, name: str) -> Self:
        """The tables of all models that are imported."""
        return cls(name, Database.create_all)

    def create_in(self, url: str) -> None:
        async def create() -> None:
            database = Database(url)
            await self.create(database)
            await database.dispose()

        # In a thread, because the loop of a test may be running in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, create()).result()


class SqliteTemplates:
    """A file for each schema, to be copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, schema: Schema, path: Path) -> str:
        """The URL of a copy at `path`."""
        template = self._folder / f"{schema.name}.sqlite3"
        if not template.exists():
            schema.create_in(f"sqlite+aiosqlite:///{template}")
        shutil.copy(template, path)
        return f"sqlite+aiosqlite:///{path}"


def names_of_filled(tables: Iterable[TableClause]) -> str:
    """The statement that returns the names of the tables with rows: of all, a test has filled a few.

    As text, because to build it takes longer than to run it. Like DELETE it waits for a transaction that was left open.
    """
    has_rows = {one.name: select(literal(1)).select_from(one).with_for_update().exists() for one in tables}
    names = union_all(*(select(literal(str(name), String())).where(found) for name, found in has_rows.items()))
    return str(names.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True}))


class _MysqlDatabase:
    """A database with tables, and a connection to empty it."""

    def __init__(self, server: str, schema: Schema, lock_wait_s: int) -> None:
        # Short enough for the names of the users of services, which begin with it.
        self.name = f"test_{schema.name}_{secrets.token_hex(6)}"
        self.url = f"{server}/{self.name}?charset=utf8mb4"
        self._server = server
        execute(server, f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")
        schema.create_in(self.url)
        # A transaction that a test left open makes DELETE wait: fail soon, in that test.
        waits = f"SESSION lock_wait_timeout = {lock_wait_s}, SESSION innodb_lock_wait_timeout = {lock_wait_s}"
        url = make_url(self.url).set(drivername="mysql+pymysql")
        self._engine = create_engine(url, connect_args={"init_command": f"SET {waits}, foreign_key_checks = 0"})
        with self._engine.connect() as connection:
            tables = [table(name) for name in inspect(connection).get_table_names()]
            # A migration leaves rows that belong to the schema, such as its own revision.
            is_empty = [
                connection.execute(select(literal(1)).select_from(one).limit(1)).first() is None for one in tables
            ]
        self._emptied = {one.name: one for one, empty in zip(tables, is_empty, strict=True) if empty}
        self._names_of_filled = names_of_filled(self._emptied.values())

    def empty(self) -> None:
        with self._engine.begin() as connection:
            for name in connection.exec_driver_sql(self._names_of_filled).scalars().all():
                connection.execute(delete(self._emptied[name]))

    def drop(self) -> None:
        self._engine.dispose()
        execute(self._server, f"DROP DATABASE {self.name}")


class MysqlTemplates:
    """Databases with tables and no rows, by schema.

    :param lock_wait_s: how long a database that is returned waits for a transaction that its test left open.
    """

    def __init__(self, server: str, *, lock_wait_s: int = 10) -> None:
        self._server = server
        self._lock_wait_s = lock_wait_s
        self._idle: dict[Schema, list[_MysqlDatabase]] = {}

    @contextmanager
    def lend(self, schema: Schema) -> Iterator[str]:
        """The URL of a database for one test."""
        idle = self._idle.setdefault(schema, [])
        database = idle.pop() if idle else _MysqlDatabase(self._server, schema, self._lock_wait_s)
        yield database.url
        try:
            database.empty()
        except DBAPIError:
            database.drop()
            raise
        idle.append(database)

    def drop(self) -> None:
        for databases in self._idle.values():
            for database in databases:
                database.drop()


WithTables = Callable[[Schema], str]
"""Gives the URL of a database with the tables of a schema and no rows."""


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplates:
    return SqliteTemplates(tmp_path_factory.mktemp("templates"))


@pytest.fixture(scope="session")
def mysql_templates(mysql_server_url: str) -> Iterator[MysqlTemplates]:
    templates = MysqlTemplates(mysql_server_url)
    yield templates
    templates.drop()


@pytest.fixture
def sqlite_with_tables(sqlite_templates: SqliteTemplates, tmp_path: Path) -> WithTables:
    """On SQLite."""
    return lambda schema: sqlite_templates.copy(schema, tmp_path / f"{schema.name}.sqlite3")


@pytest.fixture
def mysql_with_tables(mysql_templates: MysqlTemplates, request: pytest.FixtureRequest) -> WithTables:
    """On MySQL or MariaDB."""

    def lend(schema: Schema) -> str:
        lending = mysql_templates.lend(schema)
        request.addfinalizer(lambda: lending.__exit__(None, None, None))
        return lending.__enter__()

    return lend


@pytest.fixture(
    params=["sqlite", pytest.param("mariadb-aiomysql", marks=pytest.mark.mysql)],
)
def with_tables(request: pytest.FixtureRequest) -> WithTables:
    """On SQLite, and once more on MySQL or MariaDB."""
    fixture = "sqlite_with_tables" if request.param == "sqlite" else "mysql_with_tables"
    lend: WithTables = request.getfixturevalue(fixture)
    return lend
