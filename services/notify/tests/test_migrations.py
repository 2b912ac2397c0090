"""The history of the tables."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, bindparam, inspect, text

from bongsu.mixins import Base, Database, UUIDKey, owned_tables, uuid7
from bongsu.runtime.migrations import downgrade, upgrade
from bongsu.runtime.revisions import pending
from bongsu_notify.migrations import MIGRATIONS
from bongsu_notify.notifications.models import Notification


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.dispose()


async def tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


class TestUpgrade:
    async def test_upgrade_makes_the_tables_of_the_models(self, database: Database) -> None:
        await upgrade(database.engine, [MIGRATIONS])
        owned = {table.name for table in owned_tables("notify")}

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


class TestChannelContent:
    """0004 turns an email's columns into JSON, and back."""

    async def test_mails_keep_recipient_and_content_when_migrated_up_and_down(self, database: Database) -> None:
        await upgrade(database.engine, [MIGRATIONS], revision="notify_0003")
        mail, templated = uuid7(), uuid7()
        await self._insert(database, mail, name='받는 "이"', text='줄\n"바꿈" 🔥', html=None, template=None)
        await self._insert(database, templated, name=None, text=None, html=None, template="verify-email")
        await upgrade(database.engine, [MIGRATIONS])
        read = await Notification.filter_by().order_by("id").values_list("to", "content")
        assert [(to, {k: v for k, v in content.items() if v} if content else content) for to, content in read] == [
            ({"email": "a@example.com", "name": '받는 "이"'}, {"text": '줄\n"바꿈" 🔥'}),
            ({"email": "a@example.com", "name": None}, None),
        ]
        await downgrade(database.engine, [MIGRATIONS], revision="notify_0003")
        async with database.engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT recipient_name, text, html, template FROM notifications ORDER BY id")
            )
            assert [tuple(row) for row in rows] == [
                ('받는 "이"', '줄\n"바꿈" 🔥', None, None),
                (None, None, None, "verify-email"),
            ]

    @staticmethod
    async def _insert(database: Database, key: UUID, **values: str | None) -> None:
        statement = text(
            "INSERT INTO notifications (id, principal, mode, channel, recipient, recipient_name, locale, text, html,"
            " template, category, priority, guarantee, details, status, attempt, created_at, updated_at) VALUES"
            " (:id, 'user:1', 'live', 'email', 'a@example.com', :name, 'ko', :text, :html,"
            " :template, 'transactional', 'normal', 'at-least-once', '{}', 'sent', 1, '2026-01-01', '2026-01-01')"
        ).bindparams(bindparam("id", type_=UUIDKey()))
        async with database.engine.begin() as connection:
            await connection.execute(statement, {"id": key, **values})
