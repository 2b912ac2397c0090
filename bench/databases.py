"""The databases that services are measured on: a SQLite file, and a MySQL or MariaDB where one is given."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from bongsu import outbox
from bongsu.mixins import Database
from bongsu.runtime.migrations import upgrade
from bongsu_auth.migrations import MIGRATIONS as AUTH
from bongsu_notify.migrations import MIGRATIONS as NOTIFY

MakeDatabase = Callable[[], AbstractAsyncContextManager[Database]]
"""A database of its own with every table, gone afterwards."""

MYSQL_VARIABLE = "TEST_MYSQL_URL"


@asynccontextmanager
async def sqlite() -> AsyncIterator[Database]:
    """A file."""
    with tempfile.TemporaryDirectory(prefix="bongsu-bench-") as folder:
        async with _migrated(f"sqlite+aiosqlite:///{Path(folder) / 'bench.sqlite3'}") as database:
            yield database


@asynccontextmanager
async def mysql() -> AsyncIterator[Database]:
    """Include the server of the tests if TEST_MYSQL_URL names one."""
    server = make_url(os.environ[MYSQL_VARIABLE]).set(drivername="mysql+aiomysql")
    name = f"bongsu_bench_{secrets.token_hex(6)}"
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
            try:
                async with _migrated(server.set(database=name).render_as_string(hide_password=False)) as database:
                    yield database
            finally:
                await connection.execute(text(f"DROP DATABASE {name}"))
    finally:
        await engine.dispose()


def has_mysql() -> bool:
    """Whether a server is given."""
    return bool(os.environ.get(MYSQL_VARIABLE))


@asynccontextmanager
async def _migrated(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        await upgrade(database.engine, [AUTH, NOTIFY, outbox.MIGRATIONS])
        yield database
    finally:
        await database.dispose()
