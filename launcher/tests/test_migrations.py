"""The migrations of every owner together, on a fresh database."""

from collections.abc import AsyncIterator
from importlib.resources import as_file, files

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from bongsu.mixins import Base, Database
from bongsu.runtime import migrations, revisions
from bongsu.runtime.errors import StartError
from bongsu.runtime.revisions import MigrationSet
from bongsu_launcher.owners import MIGRATIONS


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.dispose()


async def _tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


def _owned_tables() -> dict[str, str]:
    """Each table and its owner, of the models that are loaded."""
    owners = {one.owner for one in MIGRATIONS}
    models = [mapper.class_ for mapper in Base.registry.mappers]
    return {model.__tablename__: model.__owner__ for model in models if model.__owner__ in owners}


class TestUpgrade:
    async def test_tables_are_those_of_the_models(self, database: Database) -> None:
        await migrations.upgrade(database.engine, MIGRATIONS)
        ours = _owned_tables()
        versions = {one.version_table for one in MIGRATIONS}

        def differences(connection: Connection) -> list[object]:
            def included(_entry: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
                return kind != "table" or name in ours

            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "include_object": included, "version_table": "none"}
            )
            return [*compare_metadata(context, Base.metadata)]

        async with database.engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        assert await _tables(database) == set(ours) | versions

    async def test_second_upgrade_changes_nothing(self, database: Database) -> None:
        await migrations.upgrade(database.engine, MIGRATIONS)
        await migrations.upgrade(database.engine, MIGRATIONS)
        assert await revisions.pending(database.engine, MIGRATIONS) == []

    async def test_downgrade_and_upgrade_give_the_same_tables(self, database: Database) -> None:
        await migrations.upgrade(database.engine, MIGRATIONS)
        before = await _tables(database)
        await migrations.downgrade(database.engine, MIGRATIONS)
        assert await _tables(database) == {one.version_table for one in MIGRATIONS}
        await migrations.upgrade(database.engine, MIGRATIONS)
        assert await _tables(database) == before


class TestNewest:
    @pytest.mark.parametrize("one", MIGRATIONS, ids=lambda one: one.owner)
    def test_newest_revision_is_the_head_of_the_history(self, one: MigrationSet) -> None:
        with as_file(files(one.package)) as folder:
            script = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])
            assert script.get_heads() == [one.newest]


class TestPending:
    async def test_every_owner_is_pending_when_the_database_is_empty(self, database: Database) -> None:
        assert await revisions.pending(database.engine, MIGRATIONS) == [one.owner for one in MIGRATIONS]

    async def test_service_refuses_an_empty_database(self, database: Database) -> None:
        with pytest.raises(StartError, match="outbox, auth, notify, bot are not up to date; run `bongsu migrate`"):
            await revisions.require_current(database.engine, MIGRATIONS)
