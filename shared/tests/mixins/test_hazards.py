"""What SQLAlchemy, asyncio, MySQL and SQLite hold in store, each hazard shown to be met."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import OperationalError, StatementError

from bongsu.mixins import Base, Conflict, Database, SessionSharedAcrossTasks, TransactionLost, utc_now
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import Author, Book, Counter


class Unused(Base):
    """For a second database beside the tests' own."""

    __abstract__ = True


KST = dt.timezone(dt.timedelta(hours=9))


class TestTasks:
    async def test_a_child_task_is_refused_its_parents_unit(self, db: Database) -> None:
        async with db.unit():
            with pytest.raises(SessionSharedAcrossTasks, match="Open a unit in that task"):
                await asyncio.gather(Author.create(email="a@bongsu.test"), Author.create(email="b@bongsu.test"))

    async def test_a_child_task_may_open_a_unit_of_its_own(self, db: Database) -> None:
        async def child() -> None:
            async with db.unit():
                assert await Author.filter_by(age=1).count() == 0

        async with db.unit():
            await asyncio.gather(child(), child())

    async def test_a_task_that_outlives_its_parents_unit_uses_sessions_of_its_own(self, db: Database) -> None:
        ended = asyncio.Event()

        async def child() -> int:
            await ended.wait()
            return await Author.row_count()

        async with db.unit():
            task = asyncio.create_task(child())
            await Author.create(email="kim@bongsu.test")
        ended.set()
        assert await task == 1

    async def test_an_object_of_anothers_unit_is_refused_too(self, db: Database) -> None:
        async with db.unit():
            author = await Author.create(email="kim@bongsu.test")
            with pytest.raises(SessionSharedAcrossTasks):
                await asyncio.create_task(author.update(age=3))

    async def test_a_generator_run_by_another_task_streams_without_a_session_of_its_maker(self, db: Database) -> None:
        await Author.bulk_create([{"email": f"{number}@bongsu.test"} for number in range(5)])

        async def rows() -> AsyncIterator[str]:
            async for author in Author.order_by("email").stream(batch=2):
                yield author.email

        async with db.unit():
            stream = rows()
            first = await anext(stream)
        rest = await asyncio.create_task(_drained(stream))
        assert [first, *rest] == [f"{number}@bongsu.test" for number in range(5)]


async def _drained(stream: AsyncIterator[str]) -> list[str]:
    return [item async for item in stream]


@pytest.mark.usefixtures("db")
class TestUnloadedAttributes:
    async def test_repr_does_not_load(self, statements: Statements) -> None:
        author = await Author.create(email="kim@bongsu.test", name="Kim")
        loaded = await Author.get(author.id)
        statements.take()
        assert "kim@bongsu.test" in repr(loaded)
        assert statements.take() == []

    async def test_timestamps_are_readable_after_an_insert_of_one_statement(self, statements: Statements) -> None:
        author = await Author.create(email="kim@bongsu.test")
        assert abs(author.created_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
        assert author.created_at == author.updated_at
        assert len(statements.take()) == 1

    async def test_a_value_that_the_database_computes_is_readable_after_the_insert(self) -> None:
        author = await Author.create(email="kim@bongsu.test", seen_at=utc_now(60))
        assert author.seen_at is not None
        assert author.seen_at > dt.datetime.now(dt.UTC)


class TestBatches:
    async def test_objects_with_client_made_keys_are_inserted_by_one_statement(
        self, db: Database, statements: Statements
    ) -> None:
        async with db.unit() as unit:
            unit.session.add_all([Author(email=f"{number}@bongsu.test") for number in range(100)])
        assert len(statements.take()) == 1


@pytest.mark.usefixtures("db")
class TestTimes:
    async def test_an_aware_time_of_another_zone_keeps_its_instant(self) -> None:
        nine = dt.datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=KST)
        author = await Author.create(email="kim@bongsu.test", seen_at=nine)
        loaded = await Author.get(author.id)
        assert loaded.seen_at == nine
        assert loaded.seen_at is not None
        assert loaded.seen_at.utcoffset() == dt.timedelta(0)

    async def test_a_naive_time_is_refused(self) -> None:
        with pytest.raises(StatementError, match="is no instant"):
            await Author.create(email="kim@bongsu.test", seen_at=dt.datetime(2026, 11, 24))  # noqa: DTZ001  # under test

    async def test_the_database_clock_compares_with_stored_times(self) -> None:
        await Author.create(email="past@bongsu.test", seen_at=utc_now(-5))
        await Author.create(email="future@bongsu.test", seen_at=utc_now(5))
        await Author.create(email="python@bongsu.test", seen_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1))
        due = await Author.filter_by(seen_at__le=utc_now()).order_by("email").pluck("email")
        assert due == ["past@bongsu.test", "python@bongsu.test"]


@pytest.mark.usefixtures("db")
class TestCollations:
    @pytest.mark.parametrize("other", ["KIM@bongsu.test", "kím@bongsu.test", "kim@bongsu.test ", "🍣@bongsu.test"])
    async def test_an_exact_string_tells_case_accents_spaces_and_emoji_apart(self, other: str) -> None:
        await Author.create(email="kim@bongsu.test")
        await Author.create(email="😀@bongsu.test")
        await Author.create(email=other)
        assert [author.email for author in await Author.filter_by(email=other).all()] == [other]

    async def test_contains_counts_case_and_icontains_does_not(self) -> None:
        await Book.create(title="Émile Zola")
        assert await Book.filter_by(title__contains="Émile").count() == 1
        assert await Book.filter_by(title__contains="émile").count() == 0
        assert await Book.filter_by(title__icontains="éMILE").count() == 1
        assert await Book.filter_by(title__icontains="emile").count() == 0

    async def test_emoji_differ_in_contains_and_icontains(self) -> None:
        await Book.create(title="so 😀")
        assert await Book.filter_by(title__contains="🍣").count() == 0
        assert await Book.filter_by(title__icontains="🍣").count() == 0
        assert await Book.filter_by(title__icontains="😀").count() == 1


class TestLostUpdates:
    async def test_column_expressions_add_up(self, db: Database) -> None:
        counter = await Counter.create(label="x")

        async def add() -> None:
            await db.run(lambda: Counter.filter_by(id=counter.id).update(value=Counter.value + 1), retries=5)

        await asyncio.gather(*(add() for _ in range(20)))
        assert (await Counter.get(counter.id)).value == 20

    async def test_read_modify_write_in_units_loses_nothing_under_a_row_lock(self, db: Database) -> None:
        counter = await Counter.create(label="x")

        async def add() -> None:
            locked = await Counter.filter_by(id=counter.id).lock().one()
            await locked.update(value=locked.value + 1)

        await asyncio.gather(*(db.run(add, retries=5) for _ in range(20)))
        assert (await Counter.get(counter.id)).value == 20


class TestRaces:
    @pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
    async def test_the_loser_of_a_get_or_create_race_gets_the_winners_row(self, db: Database, isolation: str) -> None:
        async def find() -> tuple[str, bool]:
            async with db.unit(isolation=isolation):
                author, was_made = await Author.get_or_create(email="kim@bongsu.test")
                return str(author.id), was_made

        found = await asyncio.gather(*(find() for _ in range(10)))
        assert len({key for key, _ in found}) == 1
        assert sum(was_made for _, was_made in found) == 1


@pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
@pytest.mark.mysql
class TestLostTransactions:
    async def test_a_unit_whose_statement_timed_out_on_a_lock_is_not_committed(self, db: Database) -> None:
        blocked = await Author.create(email="kim@bongsu.test")
        async with db.unit() as holder:
            await Author.filter_by(id=blocked.id).lock().one()
            with pytest.raises(TransactionLost):
                await asyncio.create_task(_half_a_unit(db, blocked))
            assert holder.is_open
        assert await Author.filter_by(email="half@bongsu.test").count() == 0

    async def test_a_deadlock_repeats_the_whole_unit(self, db: Database) -> None:
        first, second = await Author.create(email="1@bongsu.test"), await Author.create(email="2@bongsu.test")
        both_hold_one, runs = asyncio.Barrier(2), 0

        async def cross(one: Author, other: Author) -> None:
            nonlocal runs
            runs += 1
            await Author.filter_by(id=one.id).update(age=Author.age + 1)
            if runs <= 2:
                await both_hold_one.wait()
            await Author.filter_by(id=other.id).update(age=Author.age + 1)

        await asyncio.gather(
            db.run(lambda: cross(first, second), retries=5), db.run(lambda: cross(second, first), retries=5)
        )
        assert runs >= 3
        assert [author.age for author in await Author.order_by("email").all()] == [2, 2]

    async def test_row_counts_are_of_the_rows_matched_changed_or_not(self, db: Database) -> None:
        del db
        await Author.create(email="kim@bongsu.test", age=7)
        assert await Author.filter_by(email="kim@bongsu.test").update(age=7, updated_at=Author.updated_at) == 1

    async def test_bytes_can_be_bound(self, db: Database) -> None:
        del db
        book = await Book.create(title="x", cover=b"\x00\xff'\\")
        assert (await Book.get(book.id)).cover == b"\x00\xff'\\"


async def _half_a_unit(db: Database, blocked: Author) -> None:
    async with db.unit() as unit:
        await (await unit.session.connection()).exec_driver_sql("SET innodb_lock_wait_timeout = 1")
        await Author.create(email="half@bongsu.test")
        with pytest.raises(OperationalError):
            await Author.filter_by(id=blocked.id).update(age=1)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
class TestSqlite:
    async def test_a_unit_that_reads_before_it_writes_loses_no_update(self, db: Database) -> None:
        counter = await Counter.create(label="x")

        async def add() -> None:
            async with db.unit():
                found = await Counter.get(counter.id)
                await asyncio.sleep(0)
                await found.update(value=found.value + 1)

        await asyncio.gather(*(add() for _ in range(20)))
        assert (await Counter.get(counter.id)).value == 20

    async def test_a_writer_that_waits_too_long_gets_the_databases_answer(self, db: Database) -> None:
        impatient = Database(db.engine.url, Unused, busy_timeout_s=0.05)
        try:
            async with db.unit():
                await Author.create(email="kim@bongsu.test")
                with pytest.raises(OperationalError, match="locked"):
                    async with impatient.unit() as unit:
                        await unit.session.connection()
        finally:
            await impatient.dispose()

    async def test_foreign_keys_are_enforced(self, db: Database) -> None:
        del db
        with pytest.raises(Conflict) as caught:
            await Book.create(title="x", author_id=(Author(email="x")).id)
        assert caught.value.kind == "foreign key"
