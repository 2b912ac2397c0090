"""Commits and closes come to their end although the task is cancelled."""

import asyncio
import contextlib
import contextvars
import gc
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

from bongsu.mixins import Database
from bongsu.mixins.memory import WAIT_S
from shared.tests.mixins.library import Author, Counter


class HeldCommit:
    """Holds the next COMMIT back after the database has done it."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.landed = asyncio.Event()
        self.release = asyncio.Event()
        self._patch = monkeypatch
        self._dialect = db.engine.sync_engine.dialect
        self._commit = self._dialect.do_commit

    def __enter__(self) -> None:
        self._patch.setattr(self._dialect, "do_commit", self._hold)

    def __exit__(self, *error: object) -> None:
        self._patch.setattr(self._dialect, "do_commit", self._commit)

    def _hold(self, connection: PoolProxiedConnection) -> None:
        self._commit(connection)
        self.landed.set()
        await_only(self.release.wait())


def checked_out(db: Database) -> int:
    count: int = db.engine.pool.checkedout()  # type: ignore[attr-defined]  # a queue pool
    return count


@pytest.fixture
async def author(db: Database) -> AsyncIterator[Author]:
    yield await Author.create(email="kim", name="a")
    assert checked_out(db) == 0


class HeldRollback:
    """Holds a ROLLBACK of a database back until `release` is set, and notes whether a cancellation cut it off."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = asyncio.Event()
        self.release = asyncio.Event()
        self.is_cut_off = False
        self._rollback = db.engine.sync_engine.dialect.do_rollback
        monkeypatch.setattr(db.engine.sync_engine.dialect, "do_rollback", self._hold)

    def _hold(self, connection: PoolProxiedConnection) -> None:
        self.reached.set()
        try:
            await_only(self.release.wait())
        except asyncio.CancelledError:
            self.is_cut_off = True
            raise
        self._rollback(connection)


async def fail_in_a_call(db: Database) -> None:
    del db
    await Author.filter_by(Author.email.op("nonsense")(1)).update(age=1)


async def fail_in_a_unit(db: Database) -> None:
    async with db.unit():
        await Author.create(email="lee")
        raise KeyError


async def fail_in_a_session(db: Database) -> None:
    async with db.session() as session:
        await Author.create(session, email="lee")
        raise KeyError


async def fail_before_a_close(db: Database) -> None:
    session = db.session()
    try:
        await Author.create(session, email="lee")
        raise KeyError
    finally:
        await session.close()


FAIL = [fail_in_a_call, fail_in_a_unit, fail_in_a_session, fail_before_a_close]


class TestRelease:
    """Each place that releases a connection does so; `author` checks that none is checked out at the end."""

    @pytest.mark.parametrize("fail", FAIL)
    async def test_failed_work_releases_its_connection(
        self, db: Database, author: Author, fail: Callable[[Database], Awaitable[None]]
    ) -> None:
        del author
        with pytest.raises((DBAPIError, KeyError)):
            await fail(db)
        assert checked_out(db) == 0

    async def test_failed_read_releases_its_connection(self, db: Database, author: Author) -> None:
        del author
        with pytest.raises(DBAPIError):
            await Author.filter_by(Author.email.op("nonsense")(1)).all()
        assert checked_out(db) == 0

    async def test_unit_whose_commit_fails_releases_its_connection(
        self, db: Database, author: Author, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(connection: PoolProxiedConnection) -> None:
            del connection
            raise db.engine.dialect.loaded_dbapi.OperationalError(1, "planted")

        monkeypatch.setattr(db.engine.sync_engine.dialect, "do_commit", fail)
        with pytest.raises(DBAPIError):
            async with db.unit():
                await author.update(name="b")
        assert checked_out(db) == 0

    @pytest.mark.parametrize("fail", FAIL)
    async def test_release_comes_to_its_end_when_the_task_is_cancelled(
        self,
        db: Database,
        author: Author,
        monkeypatch: pytest.MonkeyPatch,
        fail: Callable[[Database], Coroutine[Any, Any, None]],
    ) -> None:
        del author
        held = HeldRollback(db, monkeypatch)
        task = asyncio.create_task(fail(db))
        await held.reached.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        held.release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (checked_out(db), held.is_cut_off) == (0, False)

    async def test_ping_releases_its_connection(self, db: Database, author: Author) -> None:
        del author
        await db.ping()
        assert checked_out(db) == 0

    async def test_objects_that_are_read_back_release_the_connection(self, db: Database, author: Author) -> None:
        found: list[Author] = []  # an object that is in use
        with pytest.raises(KeyError):  # noqa: PT012 - the block under test raises
            async with db.unit():
                await Author.create(email="lee")
                found.append(await Author.get(author.id))
                raise KeyError
        assert checked_out(db) == 0

    async def test_next_writer_begins_when_the_one_before_has_ended(self, db: Database, author: Author) -> None:
        del db, author
        async with asyncio.timeout(WAIT_S / 2):
            await asyncio.gather(*(Author.create(email=f"{number}") for number in range(3)))


class TestCancelledCommit:
    @pytest.fixture
    def cancel(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> "Callable[[Awaitable[object]], Awaitable[None]]":
        held = HeldCommit(db, monkeypatch)

        async def cancel(work: Awaitable[object]) -> None:
            with held:
                task = asyncio.ensure_future(work)
                await held.landed.wait()
                for _ in range(3):
                    task.cancel()
                    await asyncio.sleep(0)
                assert not task.done()
                held.release.set()
                with pytest.raises(asyncio.CancelledError):
                    await task

        return cancel

    async def test_object_has_what_a_call_committed(
        self, author: Author, cancel: Callable[[Awaitable[object]], Awaitable[None]]
    ) -> None:
        await cancel(author.update(name="b"))
        assert (author.name, (await Author.get(author.id)).name) == ("b", "b")
        assert await author.update(name="b") is None
        await author.update(name="c")
        assert (await Author.get(author.id)).name == "c"

    async def test_object_has_what_a_unit_committed_and_callbacks_run(
        self, db: Database, author: Author, cancel: Callable[[Awaitable[object]], Awaitable[None]]
    ) -> None:
        called: list[str] = []

        async def work() -> None:
            async with db.unit() as unit:
                unit.on_commit(lambda: called.append(author.name or ""))
                await author.update(name="b")

        await cancel(work())
        assert (author.name, (await Author.get(author.id)).name, called) == ("b", "b", ["b"])

    @pytest.mark.parametrize("auto_commit", [True, False])
    async def test_object_has_what_a_session_committed(
        self,
        db: Database,
        author: Author,
        cancel: Callable[[Awaitable[object]], Awaitable[None]],
        auto_commit: bool,
    ) -> None:
        async def work() -> None:
            async with db.session() as session:
                await author.update(session, name="b", auto_commit=auto_commit)
                await session.commit()

        await cancel(work())
        assert (author.name, (await Author.get(author.id)).name) == ("b", "b")

    async def test_created_object_is_saved_and_versions_go_on(
        self, author: Author, cancel: Callable[[Awaitable[object]], Awaitable[None]]
    ) -> None:
        del author
        counter = Counter(label="x")
        await cancel(counter.save())
        await counter.update(value=1)
        assert (await Counter.get(counter.id)).to_dict(only=["value", "version"]) == {"value": 1, "version": 2}

    async def test_deleted_object_stays_deleted(
        self, author: Author, cancel: Callable[[Awaitable[object]], Awaitable[None]]
    ) -> None:
        await cancel(author.delete())
        assert await Author.row_count() == 0
        await author.delete()


class TestCancelledWork:
    @pytest.mark.parametrize("in_unit", [True, False])
    async def test_call_that_waits_for_a_lock_ends_when_its_task_is_cancelled(
        self, db: Database, author: Author, in_unit: bool
    ) -> None:
        async def work() -> None:
            async with db.unit() if in_unit else contextlib.nullcontext():
                await Author.filter_by(id=author.id).update(name="c")

        async with db.unit():
            await Author.filter_by(id=author.id).update(name="b")
            task = asyncio.create_task(work(), context=contextvars.Context())
            for _ in range(50):
                await asyncio.sleep(0)
            task.cancel()
            async with asyncio.timeout(WAIT_S / 2):  # a commit would be waited for
                with pytest.raises(asyncio.CancelledError):
                    await task
        assert (await Author.get(author.id)).name == "b"


async def cancelled_after_more_and_more_turns(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[int]:
    """Cancel `work` after each number of the event loop's turns that is yielded, up to one in which it ends."""
    turns, done = 0, False
    while not done:
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        done = task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        yield turns
        turns += 1 + turns // 8  # a busy machine has more of them


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
class TestCancelledStatement:
    async def test_lock_of_sqlite_is_free_before_cursors_are_collected(self, db: Database, author: Author) -> None:
        async def work() -> None:
            async with db.unit():
                await author.update(name="b")
                await author.refresh("books")
                await Author.filter_by(id=author.id).update(age=4)

        gc.disable()  # a cursor in the traceback's cycle would end with it
        try:
            async for turns in cancelled_after_more_and_more_turns(work):
                await author.update(name=f"{turns}")  # raises when it has waited for the lock
        finally:
            gc.enable()
        assert (await Author.get(author.id)).name == author.name


@pytest.mark.mysql
@pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
class TestCancelledBeginning:
    async def test_connection_whose_transaction_could_not_begin_is_not_used_again(
        self, db: Database, author: Author
    ) -> None:
        async def work() -> None:
            async with db.unit(short_lock_wait=True):  # a statement of its own comes before the first
                await author.update(age=4)

        async for turns in cancelled_after_more_and_more_turns(work):
            async with db.unit():
                await author.update(name=f"{turns}")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
class TestFirstConnection:
    async def test_it_waits_for_a_writer_when_the_file_has_no_write_ahead_log(self, db: Database) -> None:
        with contextlib.closing(sqlite3.connect(str(db.engine.url.database), isolation_level=None)) as writer:
            assert writer.execute("PRAGMA journal_mode").fetchone() == ("delete",)
            writer.execute("BEGIN IMMEDIATE")
            reading = asyncio.create_task(Author.row_count())
            await asyncio.wait({reading}, timeout=0.2)
            writer.execute("ROLLBACK")
            assert await reading == 0

    async def test_several_open_the_file_together(self, db: Database) -> None:
        del db
        assert await asyncio.gather(*(Author.row_count() for _ in range(5))) == [0] * 5
