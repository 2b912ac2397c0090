"""A connected database with the identity tables."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from bongsu.identity.vault import Vault
from bongsu.mixins import Base, Database, owned_tables
from shared.tests.identity.seeds import Seeds
from tests.fake import Fake
from tests.infrastructure.templates import Schema, WithTables


async def create_tables(database: Database) -> None:
    def create(connection: Connection) -> None:
        Base.metadata.create_all(connection, tables=owned_tables("auth"))

    async with database.engine.begin() as connection:
        await connection.run_sync(create)


TABLES = Schema("identity", create_tables)


async def connected(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.dispose()


@pytest.fixture
async def database(sqlite_with_tables: WithTables) -> AsyncIterator[Database]:
    """SQLite, for tests that do not depend on the database."""
    async for database in connected(sqlite_with_tables(TABLES)):
        yield database


@pytest.fixture
async def each_database(with_tables: WithTables) -> AsyncIterator[Database]:
    """SQLite and MySQL or MariaDB, for tests that depend on the database."""
    async for database in connected(with_tables(TABLES)):
        yield database


@pytest.fixture
async def mysql_database(mysql_with_tables: WithTables) -> AsyncIterator[Database]:
    """MySQL or MariaDB, for what only a server over a network can do."""
    async for database in connected(mysql_with_tables(TABLES)):
        yield database


@pytest.fixture
def vault() -> Vault:
    return Vault.parse(Vault.new_key())


@pytest.fixture
def seeds(vault: Vault, fake: Fake) -> Seeds:
    return Seeds(vault, fake)
