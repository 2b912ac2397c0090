from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from bongsu.mixins.base import Base, owned_tables
from bongsu.runtime import migrations
from bongsu_bot.migrations import MIGRATIONS


class TestMigrations:
    async def test_migrations_create_the_tables_of_the_models_and_drop_them(self, database_url: str) -> None:
        engine = create_async_engine(database_url)
        owned = {table.name for table in owned_tables("bot")}

        def differences(connection: Connection) -> list[object]:
            context = MigrationContext.configure(
                connection,
                opts={"compare_type": False, "include_object": lambda item, name, kind, *_: _owned(item, name, kind)},
            )
            return [*compare_metadata(context, Base.metadata)]

        def _owned(item: object, name: str | None, kind: str) -> bool:
            return name in owned if kind == "table" else getattr(getattr(item, "table", None), "name", None) in owned

        try:
            await migrations.upgrade(engine, [MIGRATIONS])
            async with engine.connect() as connection:
                assert await connection.run_sync(differences) == []
            await migrations.downgrade(engine, [MIGRATIONS])
            async with engine.connect() as connection:
                left = await connection.run_sync(lambda found: inspect(found).get_table_names())
            assert not owned & set(left)
        finally:
            await engine.dispose()
