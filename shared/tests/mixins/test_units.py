import asyncio
import contextlib
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, PendingRollbackError, StatementError

from bongsu.mixins import Conflict, Database, NotFound, TransactionLost, UnitClosed, UnitFailed, uuid7
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import Author, Book, Parcel


class Boom(Exception):
    pass


class TestRun:
    async def test_run_passes_arguments_on_as_to_thread_does(self, db: Database) -> None:
        async def rename(author: Author, *, to: str) -> str:
            await author.update(email=to)
            return to

        author = await Author.create(email="kim")
        assert await db.run(rename, author, to="lee") == "lee"
        assert (await Author.get(author.id)).email == "lee"


class TestUnit:
    async def test_unit_commits_once_at_its_end(self, db: Database) -> None:
        async with db.unit():
            await Author.create(email="kim")
            await Author.create(email="lee", auto_commit=True)
            async with db.session() as other:
                if db.dialect_name != "sqlite":
                    assert await Author.row_count(other) == 0
        assert await Author.row_count() == 2

    async def test_unit_rolls_back_when_its_block_raises(self, db: Database) -> None:
        with pytest.raises(Boom):  # noqa: PT012  # the block under test raises
            async with db.unit():
                await Author.create(email="kim")
                raise Boom
        assert await Author.row_count() == 0

    async def test_unit_rolls_back_when_its_task_is_cancelled(self, db: Database) -> None:
        created, never = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            async with db.unit():
                await Author.create(email="kim")
                created.set()
                await never.wait()

        task = asyncio.create_task(work())
        await created.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await Author.row_count() == 0
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool

    async def test_calls_in_a_unit_share_its_session(self, db: Database) -> None:
        async with db.unit() as unit:
            author = await Author.create(email="kim")
            assert author in unit.session
            assert await Author.get(author.id) is author
            assert db.ambient() is unit
        assert db.ambient() is None

    async def test_unit_without_calls_sends_no_statement(self, db: Database, statements: Statements) -> None:
        async with db.unit():
            pass
        assert statements.take() == []
        assert db.engine.pool.checkedin() == 0  # type: ignore[attr-defined]  # a queue pool

    async def test_unit_cannot_be_used_after_its_end(self, db: Database) -> None:
        async with db.unit() as unit:
            pass
        with pytest.raises(UnitClosed):
            _ = unit.session

    async def test_unit_cannot_be_entered_twice(self, db: Database) -> None:
        async with db.unit() as unit:
            with pytest.raises(UnitClosed):
                await unit.__aenter__()

    async def test_commit_raises_conflict(self, db: Database) -> None:
        await Author.create(email="kim")
        with pytest.raises(Conflict) as caught:
            async with db.unit() as unit:
                unit.session.add(Author(email="kim"))
        assert caught.value.columns == ("email",)

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_units_wait_ten_seconds_for_locks_or_one_where_they_ask_for_it(self, db: Database) -> None:
        read: list[int] = []
        for is_short in (False, True, True, False):
            async with db.unit(short_lock_wait=is_short) as unit:
                connection = await unit.session.connection()
                read += (await connection.exec_driver_sql("SELECT @@innodb_lock_wait_timeout")).scalars()
        assert read == [10, 1, 1, 10]

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_its_isolation_can_be_chosen(self, db: Database) -> None:
        async with db.unit(isolation="REPEATABLE READ"):
            assert await Author.row_count() == 0
            await asyncio.create_task(_create_elsewhere(db))
            assert await Author.row_count() == 0
        async with db.unit():
            assert await Author.row_count() == 1
            await asyncio.create_task(_create_elsewhere(db, "lee"))
            assert await Author.row_count() == 2


async def _create_elsewhere(db: Database, email: str = "kim") -> None:
    async with db.unit():
        await Author.create(email=email)


class TestNesting:
    async def test_a_unit_inside_a_unit_is_a_savepoint(self, db: Database) -> None:
        async with db.unit():
            await Author.create(email="kim")
            with pytest.raises(Boom):  # noqa: PT012  # the block under test raises
                async with db.unit():
                    await Author.create(email="lee")
                    raise Boom
            await Author.create(email="park")
        assert await Author.order_by("email").pluck("email") == ["kim", "park"]

    async def test_a_conflict_inside_a_savepoint_leaves_the_unit_usable(self, db: Database) -> None:
        async with db.unit() as unit:
            await Author.create(email="kim")
            with pytest.raises(Conflict):
                async with unit.savepoint():
                    await Author.create(email="kim")
            await Author.create(email="lee")
        assert await Author.row_count() == 2

    async def test_writes_of_a_savepoint_are_rolled_back_with_the_outer_unit(self, db: Database) -> None:
        with pytest.raises(Boom):  # noqa: PT012  # the block under test raises
            async with db.unit():
                async with db.unit():
                    await Author.create(email="kim")
                raise Boom
        assert await Author.row_count() == 0


class TestFailedUnit:
    async def test_error_after_a_caught_conflict_explains_the_remedy(self, db: Database) -> None:
        await Author.create(email="kim")
        with pytest.raises(UnitFailed, match=r"Conflict has ended .*unit\.savepoint\(\)") as caught:  # noqa: PT012  # the block under test raises
            async with db.unit():
                with pytest.raises(Conflict) as first:
                    await Author.create(email="kim")
                await Author.row_count()
        assert caught.value.__cause__ is first.value
        assert await Author.row_count() == 1

    async def test_commit_after_a_caught_conflict_raises_and_keeps_nothing(self, db: Database) -> None:
        await Author.create(email="kim")
        with pytest.raises(UnitFailed, match="get_or_create") as caught:  # noqa: PT012  # the block under test raises
            async with db.unit():
                await Author.create(email="lee")
                with pytest.raises(Conflict) as first:
                    await Author.create(email="kim")
        assert caught.value.__cause__ is first.value
        assert await Author.row_count() == 1

    async def test_savepoint_is_refused_when_the_unit_has_failed(self, db: Database) -> None:
        await Author.create(email="kim")
        with pytest.raises(UnitFailed):  # noqa: PT012  # the block under test raises
            async with db.unit() as unit:
                with pytest.raises(Conflict):
                    await Author.create(email="kim")
                async with unit.savepoint():
                    await Author.create(email="lee")

    async def test_inside_a_savepoint_only_that_is_lost(self, db: Database) -> None:
        async with db.unit() as unit:
            await Author.create(email="kim")
            with pytest.raises(UnitFailed):  # noqa: PT012  # the block under test raises
                async with unit.savepoint():
                    with pytest.raises(Conflict):
                        await Author.create(email="kim")
            await Author.create(email="lee")
        assert await Author.row_count() == 2

    async def test_a_failure_that_went_past_the_library_is_not_taken_for_an_older_one(self, db: Database) -> None:
        async with db.session() as session:
            await Author.create(session, email="kim")
            with pytest.raises(Conflict):
                await Author.create(session, email="kim")
            await session.rollback()
            session.add(Book(title="x", author_id=uuid7()))
            with pytest.raises(IntegrityError):
                await session.flush()
            with pytest.raises(UnitFailed) as caught:
                await Author.row_count(session)
        assert isinstance(caught.value.__cause__, PendingRollbackError)

    async def test_unit_fails_when_a_write_raises_another_error(self, db: Database) -> None:
        with pytest.raises(UnitFailed, match="not JSON serializable"):  # noqa: PT012  # the block under test raises
            async with db.unit():
                with pytest.raises(StatementError):
                    await Parcel.create(papers={"a": object()})
                await Author.create(email="lee")

    async def test_unit_continues_when_a_bulk_write_conflicts(self, db: Database) -> None:
        await Author.create(email="kim")
        async with db.unit():
            with pytest.raises(Conflict):
                await Author.bulk_create([{"email": "kim"}])
            await Author.create(email="lee")
        assert await Author.row_count() == 2

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_after_a_caught_deadlock_the_whole_unit_is_repeated(self, db: Database) -> None:
        authors = [await Author.create(email="1"), await Author.create(email="2")]
        both_hold_one, runs = asyncio.Barrier(2), 0

        async def cross(keys: list[UUID]) -> None:
            nonlocal runs
            runs += 1
            one, other = await Author.get(keys[0]), await Author.get(keys[1])
            await one.update(age=one.age + 1)
            if runs <= 2:
                await both_hold_one.wait()
            with contextlib.suppress(OperationalError):
                await other.update(age=other.age + 1)
            await Author.row_count()

        keys = [author.id for author in authors]
        await asyncio.gather(db.run(lambda: cross(keys), retries=5), db.run(lambda: cross(keys[::-1]), retries=5))
        assert runs >= 3


class TestOnCommit:
    async def test_a_callback_comes_after_the_commit(self, db: Database) -> None:
        calls: list[str] = []
        async with db.unit() as unit:
            unit.on_commit(lambda: calls.append("outer"))
            async with db.unit() as inner:
                inner.on_commit(lambda: calls.append("inner"))
            assert calls == []
        assert calls == ["outer", "inner"]

    async def test_callback_is_not_called_after_a_rollback(self, db: Database) -> None:
        calls: list[str] = []
        async with db.unit() as unit:
            with pytest.raises(Boom):  # noqa: PT012  # the block under test raises
                async with unit.savepoint() as inner:
                    inner.on_commit(lambda: calls.append("inner"))
                    raise Boom
        with pytest.raises(Boom):  # noqa: PT012  # the block under test raises
            async with db.unit() as unit:
                unit.on_commit(lambda: calls.append("outer"))
                raise Boom
        assert calls == []

    async def test_every_callback_runs_when_one_is_cancelled(self, db: Database) -> None:
        calls: list[str] = []
        started = asyncio.Event()

        async def wait() -> None:
            started.set()
            await asyncio.Event().wait()

        async def work() -> None:
            async with db.unit() as unit:
                await Author.create(email="kim")
                unit.on_commit(wait)
                unit.on_commit(lambda: calls.append("second"))

        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert calls == ["second"]

    async def test_a_callback_may_add_another(self, db: Database) -> None:
        calls: list[str] = []
        async with db.unit() as unit:
            unit.on_commit(lambda: unit.on_commit(lambda: calls.append("second")))
            unit.on_commit(lambda: calls.append("first"))
        assert calls == ["first", "second"]

    async def test_a_callback_that_fails_does_not_repeat_the_committed_unit(self, db: Database) -> None:
        async def fail() -> None:
            raise TransactionLost("as if a write of the callback met a deadlock")

        async def work() -> None:
            await Author.create(email=str(uuid7()))
            unit = db.ambient()
            assert unit is not None
            unit.on_commit(fail)

        with pytest.raises(TransactionLost):
            await db.run(work)
        assert await Author.row_count() == 1


class TestRetries:
    async def test_the_whole_unit_is_repeated(self, db: Database) -> None:
        runs = 0

        async def work() -> str:
            nonlocal runs
            runs += 1
            await Author.create(email=f"run {runs}")
            if runs < 3:
                raise TransactionLost("as if")
            return "done"

        assert await db.run(work, retries=3) == "done"
        assert await Author.query().pluck("email") == ["run 3"]

    async def test_run_raises_when_the_retries_are_used_up(self, db: Database) -> None:
        runs = 0

        async def work() -> None:
            nonlocal runs
            runs += 1
            raise TransactionLost("as if")

        with pytest.raises(TransactionLost):
            await db.run(work, retries=2)
        assert runs == 3

    async def test_other_errors_are_not_repeated(self, db: Database) -> None:
        runs = 0

        async def work() -> None:
            nonlocal runs
            runs += 1
            await Author.filter_by(email="x").one()

        with pytest.raises(NotFound):
            await db.run(work)
        assert runs == 1

    async def test_a_function_can_be_decorated(self, db: Database) -> None:
        @db.unit(retries=2)
        async def register(email: str, *, age: int) -> Author:
            assert db.ambient() is not None
            return await Author.create(email=email, age=age)

        author = await register("kim", age=3)
        assert (await Author.get(author.id)).age == 3

    async def test_a_block_cannot_be_repeated(self, db: Database) -> None:
        with pytest.raises(TypeError, match="cannot be repeated"):
            async with db.unit(retries=3):
                pass

    async def test_only_the_outermost_unit_is_repeated(self, db: Database) -> None:
        runs = 0

        async def inner() -> None:
            nonlocal runs
            runs += 1
            raise TransactionLost("as if")

        with pytest.raises(TransactionLost):
            async with db.unit():
                await db.run(inner, retries=5)
        assert runs == 1
