import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import text

from bongsu import outbox
from bongsu.runtime import migrations
from bongsu.runtime.database import opened
from bongsu.runtime.errors import StartError

SETS = [outbox.MIGRATIONS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.sqlite3"


async def _migrate(path: Path) -> None:
    async with opened(f"sqlite+aiosqlite:///{path}", slow_ms=1000) as database:
        await migrations.upgrade(database.engine, SETS)


def _spoil(path: Path) -> None:
    """Keeps the header, so that it still looks like a database."""
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(size_bytes - 100))


class TestOpened:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("sqlite:///x", "async"),
            ("mysql://u@h/d", "MySQLdb"),
            ("mysql+aiomysql://u:p@h:port/d", "its port is no number"),
            ("delphi://h", "delphi"),
            ("nonsense", "parse"),
        ],
    )
    async def test_a_url_that_does_not_work_is_told_with_those_that_do(self, url: str, words: str) -> None:
        with pytest.raises(StartError) as caught:
            async with opened(url, slow_ms=1000):
                pass
        told = str(caught.value)
        assert words in told
        assert "write sqlite+aiosqlite:///FILE or mysql+aiomysql://" in told
        assert "\n" not in told

    @pytest.mark.parametrize("rest", ["u:secret@한..글/d", "u:secret@localhost/d?colour=red", "u:secret@127.0.0.1:1/d"])
    async def test_a_server_that_cannot_be_reached_is_one_line_and_nothing_in_the_log(
        self, rest: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(StartError, match="Cannot reach the database at") as caught:
            async with opened(f"mysql+aiomysql://{rest}", slow_ms=1000):
                pass
        assert "secret" not in str(caught.value)
        assert "statement.failed" not in "".join(capsys.readouterr())

    async def test_a_file_that_is_no_database_is_damaged(self, path: Path) -> None:
        await asyncio.to_thread(path.write_bytes, os.urandom(8192))
        with pytest.raises(StartError, match=r"data\.sqlite3 is damaged .*: put a backup of it back"):
            await _migrate(path)


class TestMigrations:
    async def test_damage_inside_the_file_is_told_with_what_to_do(self, path: Path) -> None:
        await _migrate(path)
        _spoil(path)
        with pytest.raises(StartError, match=r"data\.sqlite3 is damaged .*: put a backup of it back"):
            await _migrate(path)

    async def test_tables_of_a_newer_version_are_told(self, path: Path) -> None:
        await _migrate(path)
        async with (
            opened(f"sqlite+aiosqlite:///{path}", slow_ms=1000) as database,
            database.engine.begin() as connection,
        ):
            await connection.execute(text("UPDATE alembic_version_outbox SET version_num = '9999'"))
        with pytest.raises(StartError, match=r"tables of outbox are of a version that is not known here \(9999\)"):
            await _migrate(path)
