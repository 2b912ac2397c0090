import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from bongsu.mixins import Database
from bongsu.runtime.database_log import log_statements, report_corruption_once


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    log_statements(database.engine, slow_ms=60_000)
    yield database
    await database.dispose()


class TestLogStatements:
    async def test_failed_statement_is_logged_without_its_values(self, database: Database) -> None:
        with structlog.testing.capture_logs() as lines:
            async with database.engine.connect() as connection:
                with pytest.raises(DBAPIError):
                    await connection.execute(text("SELECT :value FROM missing"), {"value": "a secret"})
        assert [line["event"] for line in lines] == ["statement.failed"]
        assert "a secret" not in str(lines)

    async def test_check_for_a_table_is_not_logged(self, database: Database) -> None:
        with structlog.testing.capture_logs() as lines:
            async with database.engine.connect() as connection:
                assert not await connection.run_sync(lambda sync: inspect(sync).has_table("missing"))
        assert lines == []


class TestReportCorruptionOnce:
    async def test_damaged_file_is_not_logged_when_the_caller_reports_it(self, tmp_path: Path) -> None:
        with structlog.testing.capture_logs() as lines, report_corruption_once():
            await _read_damaged(tmp_path / "data.sqlite3")
        assert lines == []

    async def test_damaged_file_is_logged_when_no_caller_reports_it(self, tmp_path: Path) -> None:
        with report_corruption_once():
            pass
        with structlog.testing.capture_logs() as lines:
            await _read_damaged(tmp_path / "data.sqlite3")
        assert [(line["event"], line["error"]) for line in lines] == [("statement.failed", "DatabaseError")]

    async def test_other_failures_are_logged_when_corruption_is_not(self, database: Database) -> None:
        with structlog.testing.capture_logs() as lines, report_corruption_once():
            async with database.engine.connect() as connection:
                with pytest.raises(DBAPIError):
                    await connection.execute(text("SELECT 1 FROM missing"))
        assert [line["event"] for line in lines] == ["statement.failed"]


async def _read_damaged(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    log_statements(database.engine, slow_ms=60_000)
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE things (name TEXT)"))
        page = (await connection.execute(text("SELECT rootpage FROM sqlite_master"))).scalar_one()
        page_bytes = (await connection.execute(text("PRAGMA page_size"))).scalar_one()
    await database.dispose()
    await asyncio.to_thread(_spoil, path, (page - 1) * page_bytes, page_bytes)
    async with database.engine.connect() as connection:
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT name FROM things"))
    await database.dispose()


def _spoil(path: Path, begin: int, size_bytes: int) -> None:
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\xff" * size_bytes)
