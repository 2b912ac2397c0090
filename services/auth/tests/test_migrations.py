"""Migrations."""

from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from bongsu.mixins import Base, Database, owned_tables
from bongsu.runtime.migrations import downgrade, upgrade
from bongsu.runtime.revisions import pending
from bongsu_auth.migrations import MIGRATIONS


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.dispose()


async def tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


class TestUpgrade:
    async def test_tables_are_those_of_the_models(self, database: Database) -> None:
        await upgrade(database.engine, [MIGRATIONS])
        owned = {table.name for table in owned_tables("auth")}

        def differences(connection: Connection) -> list[object]:
            context = MigrationContext.configure(
                connection,
                opts={
                    "include_object": lambda _thing, name, kind, *_: kind != "table" or name in owned,
                    "compare_type": True,
                },
            )
            found: list[object] = compare_metadata(context, Base.metadata)
            return found

        async with database.engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        assert await pending(database.engine, [MIGRATIONS]) == []

    async def test_downgrade_drops_every_table(self, database: Database) -> None:
        await upgrade(database.engine, [MIGRATIONS])
        await downgrade(database.engine, [MIGRATIONS])
        assert await tables(database) <= {MIGRATIONS.version_table}
