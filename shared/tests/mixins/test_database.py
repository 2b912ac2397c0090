import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, MetaData, inspect, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Mapped, Session
from sqlalchemy.util import greenlet_spawn

from bongsu.mixins import Base, BaseModel, Database
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import Author, Tag
from tests.eventually import eventually


class PrivateBase(Base):
    __abstract__ = True
    metadata = MetaData()


class Thing(PrivateBase, BaseModel):
    label: Mapped[str]


class InnerBase(PrivateBase):
    __abstract__ = True
    metadata = MetaData()


class InnerThing(InnerBase, BaseModel):
    label: Mapped[str]


def leave_open(db: Database, *statements: str) -> None:
    """Return a connection to the pool within a transaction."""
    connection = db.engine.sync_engine.raw_connection()
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.close()


class TestDatabase:
    async def test_unit_of_a_parent_base_is_not_that_of_a_base_with_a_database_of_its_own(self, tmp_path: Path) -> None:
        outer = Database(f"sqlite+aiosqlite:///{tmp_path / 'outer.sqlite3'}", PrivateBase)
        inner = Database(f"sqlite+aiosqlite:///{tmp_path / 'inner.sqlite3'}", InnerBase)
        await outer.create_all()
        await inner.create_all()
        async with outer.unit():
            await Thing.create(label="x")
            await InnerThing.create(label="y")
            async with inner.unit():
                await InnerThing.create(label="z")
                assert await Thing.row_count() == 1
        assert await InnerThing.order_by("label").pluck("label") == ["y", "z"]
        await inner.dispose()
        await outer.dispose()

    async def test_scoped_session_is_that_of_the_unit_whichever_database_the_base_has(self, tmp_path: Path) -> None:
        first = Database(f"sqlite+aiosqlite:///{tmp_path / 'first.sqlite3'}", PrivateBase)
        second = Database(f"sqlite+aiosqlite:///{tmp_path / 'second.sqlite3'}", PrivateBase)
        async with first.unit() as unit:
            assert Thing.scoped_session is unit.session
        await first.dispose()
        await second.dispose()

    async def test_ping_succeeds(self, db: Database) -> None:
        await db.ping()

    async def test_database_creates_and_drops_its_tables(self, url: URL) -> None:
        database = Database(url, PrivateBase)
        await database.create_all()
        await database.create_all()
        await Thing.create(label="x")
        await database.drop_all()
        async with database.engine.connect() as connection:
            assert not await connection.run_sync(lambda sync: inspect(sync).has_table("things"))
        await database.dispose()

    async def test_ping_fails_when_the_database_is_unreachable(self) -> None:
        database = Database("mysql+aiomysql://root@127.0.0.1:1/x", PrivateBase)
        with pytest.raises(OperationalError):
            await database.ping()
        await database.dispose()

    @pytest.mark.parametrize("place", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"])
    async def test_in_memory_database_is_shared_by_concurrent_tasks(self, place: str) -> None:
        database = Database(place, PrivateBase)
        await database.create_all()

        async def work() -> None:
            async with database.unit():
                await Thing.create(label="x")
                await asyncio.sleep(0)

        await asyncio.gather(*(work() for _ in range(20)))
        assert await Thing.row_count() == 20
        await database.dispose()

    async def test_sqlite_connection_is_closed_before_its_cancelled_caller_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop, connecting, may_connect = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect

        def wait_and_connect(path: str, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - SQLAlchemy's
            loop.call_soon_threadsafe(connecting.set)
            may_connect.wait()
            return connect(path, **options)

        monkeypatch.setattr(sqlite3, "connect", wait_and_connect)
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite3'}", PrivateBase)
        caller = asyncio.create_task(database.ping())
        await connecting.wait()
        caller.cancel()
        for _ in range(10):  # more turns of the loop than the caller needs to end
            await asyncio.sleep(0)
        assert not caller.done()
        may_connect.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await database.dispose()

    @pytest.mark.parametrize("cancelled", range(4))
    @pytest.mark.parametrize("at_work", ["connecting", "in a statement"])
    def test_event_loop_closes_after_the_threads_of_sqlite_have_answered(
        self, at_work: str, cancelled: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect
        threads: list[threading.Thread] = []

        def connect_slowly(path: str, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - SQLAlchemy's
            threads.append(threading.current_thread())
            time.sleep(0.3 if at_work == "connecting" else 0)
            connection = connect(path, **options)
            connection.create_function("sleep", 1, time.sleep)
            return connection

        async def leave_at_work() -> asyncio.Task[Any]:
            database = Database(f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite3'}", PrivateBase)

            async def work() -> None:
                async with database.engine.connect() as connection:
                    await connection.exec_driver_sql("SELECT sleep(0.3)")

            task = asyncio.create_task(work())
            await eventually(lambda: threads)
            await asyncio.sleep(0.1)
            for _ in range(cancelled):
                task.cancel()
                await asyncio.sleep(0.02)
            return task

        failures: list[object] = []
        monkeypatch.setattr(sqlite3, "connect", connect_slowly)
        monkeypatch.setattr(threading, "excepthook", failures.append)
        assert asyncio.run(leave_at_work()).cancelled()
        assert not any(thread.is_alive() for thread in threads)
        assert failures == []

    @pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
    async def test_thread_of_sqlite_ends_in_silence_when_its_event_loop_is_closed(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def is_closed(*_: object) -> None:
            raise RuntimeError("Event loop is closed")

        raw = await db.engine.raw_connection()
        driver: Any = raw.driver_connection
        failures: list[object] = []
        with monkeypatch.context() as patch:
            patch.setattr(threading, "excepthook", failures.append)
            patch.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", is_closed)
            waiting = asyncio.ensure_future(driver.execute("SELECT 1"))
            await eventually(lambda: not driver._thread.is_alive())
        assert failures == []
        waiting.cancel()
        driver._connection = None
        await greenlet_spawn(raw.detach)

    @pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
    async def test_sqlite_has_its_settings(self, db: Database) -> None:
        async with db.engine.connect() as connection:
            settings = {
                name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "foreign_keys", "busy_timeout")
            }
        assert settings == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000}

    async def test_connection_returned_with_a_transaction_open_is_rolled_back(self, db: Database) -> None:
        await Tag.create(label="kept")
        await greenlet_spawn(leave_open, db, "BEGIN", "DELETE FROM tags")
        assert await Tag.order_by("label").pluck("label") == ["kept"]

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_connection_returned_with_locked_rows_frees_them(self, db: Database) -> None:
        await Tag.create(label="locked")
        await greenlet_spawn(leave_open, db, "SELECT id FROM tags FOR UPDATE")
        async with db.engine.connect(), db.unit(short_lock_wait=True):  # the first takes the one that was returned
            await Tag.filter_by(label="locked").update(label="free")
        assert await Tag.order_by("label").pluck("label") == ["free"]

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_connection_whose_commit_failed_is_rolled_back(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(connection: object) -> None:
            del connection
            raise db.engine.dialect.loaded_dbapi.InternalError(1180, "Got error during COMMIT")

        await Tag.create(label="kept")
        with monkeypatch.context() as patch:
            patch.setattr(db.engine.dialect, "do_commit", refuse)
            with pytest.raises(DBAPIError, match="1180"):
                async with db.engine.begin() as connection:
                    await connection.exec_driver_sql("DELETE FROM tags")
        async with db.engine.connect(), db.unit(short_lock_wait=True):  # the first takes the one that was returned
            await Tag.filter_by(label="kept").update(label="free")
        assert await Tag.order_by("label").pluck("label") == ["free"]

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_a_transaction_is_ended_once(self, db: Database) -> None:
        async def rollbacks() -> int:
            async with db.engine.connect() as connection:
                row = (await connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Com_rollback'")).one()
                await connection.commit()
            return int(row.Value)

        before = await rollbacks()
        for name in ("a", "b", "c"):
            async with db.unit():
                await Tag.create(label=name)
        assert await rollbacks() == before
        await Tag.filter_by(label="a").one()
        await Tag.filter_by(label="b").one()
        assert await rollbacks() == before + 2

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_mysql_has_its_settings(self, db: Database) -> None:
        async with db.engine.connect() as connection:
            row = (await connection.exec_driver_sql("SELECT @@time_zone, @@character_set_connection")).one()
            level = await connection.get_isolation_level()
            switches = (await connection.exec_driver_sql("SELECT @@optimizer_switch")).scalar_one()
        assert [*row, level] == ["+00:00", "utf8mb4", "READ COMMITTED"]
        assert "index_merge_intersection=off" in switches
        assert "skip_scan=on" not in switches  # MariaDB has none

    async def test_the_callers_engine_options_win(self) -> None:
        database = Database(make_url("mysql+aiomysql://root@127.0.0.1:1/x"), PrivateBase, pool_size=3)
        assert database.engine.pool.size() == 3  # type: ignore[attr-defined]  # a queue pool
        await database.dispose()


class TestOwnSessions:
    async def test_a_failed_write_leaves_no_connection_behind(self, db: Database, statements: Statements) -> None:
        with pytest.raises(DBAPIError):
            await Author.filter_by(Author.email.op("nonsense")(1)).all()
        assert statements.take()
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool
        await Author.create(email="kim")

    async def test_a_write_is_repeated_after_a_deadlock(self, db: Database) -> None:
        runs = 0

        def work(session: Session) -> int:
            nonlocal runs
            runs += 1
            session.add(Author(email="kim"))
            session.flush()
            if runs == 1:
                raise OperationalError("UPDATE", None, Exception(1213, "Deadlock found"))
            return runs

        assert await db.alone(work, write=True) == 2
        assert await Author.row_count() == 1

    async def test_a_lasting_deadlock_is_raised(self, db: Database) -> None:
        def work(session: Session) -> None:
            del session
            raise OperationalError("UPDATE", None, Exception(1213, "Deadlock found"))

        with pytest.raises(OperationalError, match="Deadlock"):
            await db.alone(work, write=True)
