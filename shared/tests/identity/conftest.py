"""A connected database with the identity tables."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from bongsu.identity.vault import Vault
from bongsu.mixins import Base, Database, owned_tables
from shared.tests.identity.seeds import Seeds


async def connected(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    tables = owned_tables("auth")

    def create(connection: Connection) -> None:
        Base.metadata.create_all(connection, tables=tables)

    async with database.engine.begin() as connection:
        await connection.run_sync(create)
    yield database
    await database.dispose()


@pytest.fixture
async def database(sqlite_database_url: str) -> AsyncIterator[Database]:
    """SQLite, for tests that do not depend on the database."""
    async for database in connected(sqlite_database_url):
        yield database


@pytest.fixture
async def each_database(database_url: str) -> AsyncIterator[Database]:
    """SQLite and MySQL or MariaDB, for tests that depend on the database."""
    async for database in connected(database_url):
        yield database


@pytest.fixture
async def mysql_database(mysql_database_url: str) -> AsyncIterator[Database]:
    """MySQL or MariaDB, for tests of network failures."""
    async for database in connected(mysql_database_url):
        yield database


@pytest.fixture
def vault() -> Vault:
    return Vault.parse(Vault.new_key())


@pytest.fixture
def seeds(vault: Vault) -> Seeds:
    return Seeds(vault)
