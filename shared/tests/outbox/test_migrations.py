from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from bongsu.mixins import Base, Database
from bongsu.outbox import MIGRATIONS
from bongsu.outbox.models import OutboxMessage
from bongsu.runtime.migrations import downgrade, upgrade
from bongsu.runtime.revisions import pending


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database of the test's own, because a downgrade changes its tables."""
    database = Database(database_url)
    await upgrade(database.engine, [MIGRATIONS])
    yield database
    await database.dispose()


class TestMigrations:
    async def test_tables_match_the_models(self, database: Database) -> None:
        def differences(connection: Connection) -> list[object]:
            context = MigrationContext.configure(
                connection,
                opts={
                    "compare_type": True,
                    "include_object": lambda _object, name, kind, _reflected, _other: (
                        kind != "table" or name == OutboxMessage.__tablename__
                    ),
                },
            )
            return [*compare_metadata(context, Base.metadata)]

        async with database.engine.connect() as connection:
            assert await connection.run_sync(differences) == []

    async def test_current_tables_are_not_pending(self, database: Database) -> None:
        assert await pending(database.engine, [MIGRATIONS]) == []

    async def test_second_upgrade_changes_nothing(self, database: Database) -> None:
        await upgrade(database.engine, [MIGRATIONS])
        assert await pending(database.engine, [MIGRATIONS]) == []

    async def test_downgrade_removes_the_tables(self, database: Database) -> None:
        await downgrade(database.engine, [MIGRATIONS])
        async with database.engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        assert "outbox" not in names
