import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from bongsu import outbox
from bongsu.process.database import connect_database
from bongsu.runtime import migrations
from bongsu.runtime.errors import StartError

SETS = [outbox.MIGRATIONS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.sqlite3"


async def _migrate(path: Path) -> None:
    async with connect_database(f"sqlite+aiosqlite:///{path}", slow_query_ms=1000) as database:
        await migrations.upgrade(database.engine, SETS)


def _corrupt(path: Path) -> None:
    """Overwrite everything but the header, so that it still looks like a database."""
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * (size_bytes - 100))


class TestConnectDatabase:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("sqlite:///x", "async"),
            ("mysql://u@h/d", "MySQLdb"),
            ("mysql+aiomysql://u:p@h:port/d", "the port is not a number"),
            ("delphi://h", "delphi"),
            ("nonsense", "parse"),
        ],
    )
    async def test_unusable_url_is_refused_with_the_usable_forms(self, url: str, words: str) -> None:
        with pytest.raises(StartError) as caught:
            async with connect_database(url, slow_query_ms=1000):
                pass
        message = str(caught.value)
        assert words in message
        assert "write sqlite+aiosqlite:///FILE or mysql+aiomysql://" in message
        assert "\n" not in message

    @pytest.mark.parametrize("rest", ["u:secret@한..글/d", "u:secret@localhost/d?colour=red", "u:secret@127.0.0.1:1/d"])
    async def test_unreachable_server_is_one_line_and_not_logged(
        self, rest: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(StartError, match="Cannot reach the database at") as caught:
            async with connect_database(f"mysql+aiomysql://{rest}", slow_query_ms=1000):
                pass
        assert "secret" not in str(caught.value)
        assert "statement.failed" not in "".join(capsys.readouterr())

    async def test_file_that_is_not_a_database_is_reported_as_damaged(self, path: Path) -> None:
        await asyncio.to_thread(path.write_bytes, b"\xa5" * 8192)
        with pytest.raises(StartError, match=r"data\.sqlite3 is damaged .*: restore a backup"):
            await _migrate(path)


class TestMigrations:
    async def test_damaged_file_is_reported_with_a_remedy(self, path: Path) -> None:
        await _migrate(path)
        _corrupt(path)
        with pytest.raises(StartError, match=r"data\.sqlite3 is damaged .*: restore a backup"):
            await _migrate(path)

    async def test_tables_of_a_newer_version_are_refused(self, path: Path) -> None:
        await _migrate(path)
        async with (
            connect_database(f"sqlite+aiosqlite:///{path}", slow_query_ms=1000) as database,
            database.engine.begin() as connection,
        ):
            await connection.execute(text("UPDATE alembic_version_outbox SET version_num = '9999'"))
        with pytest.raises(StartError, match=r"tables of outbox have the unknown version 9999"):
            await _migrate(path)
