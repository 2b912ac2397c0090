from collections.abc import AsyncIterator

import pytest
import structlog
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from bongsu.mixins import Database
from bongsu.runtime.database_log import log_statements


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    log_statements(database.engine, slow_ms=60_000)
    yield database
    await database.dispose()


class TestLogStatements:
    async def test_a_statement_that_fails_is_logged_without_its_values(self, database: Database) -> None:
        with structlog.testing.capture_logs() as lines:
            async with database.engine.connect() as connection:
                with pytest.raises(DBAPIError):
                    await connection.execute(text("SELECT :value FROM missing"), {"value": "a secret"})
        assert [line["event"] for line in lines] == ["statement.failed"]
        assert "a secret" not in str(lines)

    async def test_looking_whether_a_table_exists_is_no_failure(self, database: Database) -> None:
        with structlog.testing.capture_logs() as lines:
            async with database.engine.connect() as connection:
                assert not await connection.run_sync(lambda sync: inspect(sync).has_table("missing"))
        assert lines == []
