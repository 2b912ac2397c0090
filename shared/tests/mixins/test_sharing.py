"""One object in several tasks: calls wait for one another or raise `SessionSharedAcrossTasks`, and leak nothing."""

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.util import await_only

from bongsu.mixins import Conflict, Database, SessionSharedAcrossTasks
from shared.tests.mixins.library import Author, Book, Folder, Note, Tag


def checked_out(db: Database) -> int:
    count: int = db.engine.pool.checkedout()  # type: ignore[attr-defined]  # a queue pool
    return count


class TestCalls:
    async def test_two_updates_follow_one_another(self, db: Database) -> None:
        user = await Author.create(email="kim")
        task = asyncio.create_task(user.update(age=1))
        await user.update(name="x")
        await task
        found = await Author.get(user.id)
        assert (found.age, found.name, user.age, user.name) == (1, "x", 1, "x")
        assert checked_out(db) == 0

    async def test_an_update_and_a_refresh_follow_one_another(self, db: Database) -> None:
        user = await Author.create(email="kim")
        await asyncio.gather(user.update(age=1), user.refresh("books"), user.refresh(), user.update(name="x"))
        assert user.books == []
        assert (await Author.get(user.id)).age == 1
        assert checked_out(db) == 0

    async def test_calls_may_refer_to_one_object(self, db: Database) -> None:
        user = await Author.create(email="kim")
        made = await asyncio.gather(*(Book.create(title=str(number), author=user) for number in range(10)))
        assert all(book.author is user and book.author_id == user.id for book in made)
        assert await Book.filter_by(author=user).count() == 10
        assert checked_out(db) == 0

    async def test_rows_that_refer_to_one_object_are_got_or_created(self, db: Database) -> None:
        user = await Author.create(email="kim")
        titles = [str(number) for number in range(20)]
        made = await asyncio.gather(*(Book.get_or_create(title=title, author=user) for title in titles))
        assert all(was_made and book.author is user for book, was_made in made)
        found = await asyncio.gather(*(Book.get_or_create(title=title, author=user) for title in titles))
        assert not any(was_made for _, was_made in found)
        assert await Book.filter_by(author=user).count() == 20
        assert checked_out(db) == 0

    async def test_rows_are_created_or_updated_to_refer_to_one_object(self, db: Database) -> None:
        user, other = await Author.create(email="kim"), await Author.create(email="lee")
        books = [Book(title=str(number)) for number in range(20)]
        await Book.bulk_create(books[:10])
        calls = [Book.create_or_update(id=book.id, title=book.title, author=user) for book in books]
        made = await asyncio.gather(*calls, user.update(age=1))
        assert sum(result[1] for result in made if isinstance(result, tuple)) == 10
        await asyncio.gather(*(Book.create_or_update(id=book.id, author=other) for book in books), other.update(age=1))
        assert await Book.filter_by(author=other).count() == 20
        assert checked_out(db) == 0

    async def test_calls_may_list_one_object(self, db: Database) -> None:
        tag = await Tag.create(label="red")
        await asyncio.gather(*(Book.create(title=str(number), tags=[tag]) for number in range(5)))
        assert await Book.filter_by(tags__label="red").count() == 5
        assert checked_out(db) == 0

    async def test_saves_may_refer_to_one_object(self, db: Database) -> None:
        user = await Author.create(email="kim")
        await user.refresh("books")
        made = [Book(title=str(number), author=user) for number in range(5)]
        await asyncio.gather(*(book.save() for book in made), user.update(age=2))
        assert await Book.filter_by(author=user).count() == 5
        await user.update(age=3)
        assert await Book.row_count() == 5
        assert {book.title for book in user.books} == {"0", "1", "2", "3", "4"}
        assert checked_out(db) == 0

    async def test_two_deletes_are_one(self, db: Database) -> None:
        user = await Author.create(email="kim")
        await asyncio.gather(user.delete(), user.delete(), return_exceptions=False)
        assert await Author.row_count() == 0
        assert checked_out(db) == 0

    async def test_two_saves_of_a_new_object_insert_it_once(self, db: Database) -> None:
        user = Author(email="kim")
        await asyncio.gather(user.save(), user.save())
        assert await Author.row_count() == 1
        assert checked_out(db) == 0


class TestUnits:
    async def test_units_may_refer_to_one_object(self, db: Database) -> None:
        user = await Author.create(email="kim")

        async def write(number: int) -> None:
            await Book.create(title=str(number), author=user)
            await Note.create(text=str(number), folder=await Folder.create(label=str(number)))
            assert await Book.filter_by(author=user).exists()

        await asyncio.gather(*(db.run(write, number) for number in range(5)))
        assert await Book.filter_by(author=user).count() == 5
        assert checked_out(db) == 0

    async def test_a_unit_waits_for_an_object_of_another_unit(self, db: Database) -> None:
        user = await Author.create(email="kim")

        async def count() -> None:
            await Book.create(title="x", author=user)
            await user.update(age=user.age + 1)
            await asyncio.sleep(0)

        await asyncio.gather(*(db.run(count) for _ in range(5)))
        assert (await Author.get(user.id)).age == 5
        assert user.age == 5
        assert checked_out(db) == 0

    async def test_units_over_the_same_objects_in_opposite_order_end(self, db: Database) -> None:
        first, second = await Author.create(email="kim"), await Author.create(email="lee")

        async def rename(one: Author, other: Author, name: str) -> None:
            await one.update(name=f"{name} 1")
            await other.update(name=f"{name} 2")

        for turn in range(30):
            await asyncio.gather(db.run(rename, first, second, f"a{turn}"), db.run(rename, second, first, f"b{turn}"))
            for author in (first, second):
                assert (await Author.get(author.id)).name == author.name

    @pytest.mark.parametrize("is_repeated", [True, False])
    async def test_six_units_over_the_same_objects_take_turns(
        self, db: Database, is_repeated: bool
    ) -> None:  # a test's parameter
        users = [await Author.create(email=str(number)) for number in range(3)]
        done: list[str] = []

        async def rename(number: int) -> None:
            for user in random.Random(number).sample(users, 3) if is_repeated else users:  # noqa: S311  # not for secrets
                await user.update(name=f"{number}")
                await asyncio.sleep(0)
                await user.refresh("books")
            done.append(str(number))

        async def rename_in_unit(number: int) -> None:
            async with db.unit():
                await Author.row_count()
                await rename(number)

        await asyncio.gather(
            *(db.run(rename, number) if is_repeated else rename_in_unit(number) for number in range(6))
        )
        assert {user.name for user in users} == {done[-1]}
        assert await Author.filter_by(name=done[-1]).count() == 3
        assert checked_out(db) == 0

    async def test_a_unit_that_holds_locks_waits_for_an_object_of_another(self, db: Database) -> None:
        user, other = await Author.create(email="kim"), await Author.create(email="lee")
        held, done = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with db.unit():
                await user.update(age=1)
                held.set()
                await done.wait()

        async def wait() -> None:
            async with db.unit():
                await other.update(age=2)
                await user.update(name="x")

        holder = asyncio.create_task(hold())
        await held.wait()
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        done.set()
        await asyncio.gather(holder, waiting)
        assert await Author.order_by("email").values_list("age", "name") == [(1, "x"), (2, None)]

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_units_that_wait_for_one_another_raise_soon(self, db: Database) -> None:
        first, second = await Author.create(email="kim"), await Author.create(email="lee")
        both_hold_one = asyncio.Barrier(2)

        async def rename(one: Author, other: Author) -> None:
            async with db.unit():
                await one.update(name="x")
                await both_hold_one.wait()
                await other.update(name="y")

        async with asyncio.timeout(60):
            results = await asyncio.gather(rename(first, second), rename(second, first), return_exceptions=True)
        (error,) = [result for result in results if result is not None]
        assert isinstance(error, SessionSharedAcrossTasks)
        assert "waits for this one" in str(error)
        assert sorted(author.name or "" for author in (first, second)) == ["x", "y"]
        assert checked_out(db) == 0

    async def test_a_task_is_refused_an_object_of_the_unit_that_waits_for_it(self, db: Database) -> None:
        user = await Author.create(email="kim")
        async with db.unit():
            await user.update(age=1)
            with pytest.raises(SessionSharedAcrossTasks, match="which inherited it"):
                await asyncio.create_task(user.update(name="x"))
        assert (user.age, user.name) == (1, None)

    async def test_a_write_of_a_value_that_another_unit_takes_back_is_sent(self, db: Database) -> None:
        user, note = await Author.create(email="kim"), await Note.create(text="x")
        gone = await Author.create(email="gone")
        held, done = asyncio.Event(), asyncio.Event()

        async def undo() -> None:
            async with db.unit():
                await user.update(age=1)
                await note.delete()
                await gone.delete()
                held.set()
                await done.wait()
                raise KeyError

        holder = asyncio.create_task(undo())
        await held.wait()
        calls = [asyncio.create_task(work) for work in (user.update(age=1), note.delete(), gone.delete())]
        await asyncio.sleep(0)
        done.set()
        with pytest.raises(KeyError):
            await holder
        await asyncio.gather(*calls)
        assert (await Author.get(user.id)).age == 1
        assert (await Note.row_count(), await Author.row_count()) == (0, 1)

    async def test_a_call_waits_for_an_object_of_another_tasks_unit(self, db: Database) -> None:
        user = await Author.create(email="kim")
        held, done = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with db.unit():
                await user.update(age=1)
                held.set()
                await done.wait()

        holder = asyncio.create_task(hold())
        await held.wait()
        waiting = asyncio.create_task(user.update(name="x"))
        await asyncio.sleep(0)
        assert not waiting.done()
        done.set()
        await asyncio.gather(holder, waiting)
        found = await Author.get(user.id)
        assert (found.age, found.name) == (1, "x")

    async def test_a_session_of_its_user_is_refused_while_a_call_uses_it(self, db: Database) -> None:
        async with db.session() as session:
            results = await asyncio.gather(
                Author.create(session, email="kim"), Author.create(session, email="lee"), return_exceptions=True
            )
            assert [type(result) for result in results] == [Author, SessionSharedAcrossTasks]
            await session.commit()
        assert await Author.row_count() == 1
        assert checked_out(db) == 0

    async def test_a_session_of_its_user_is_used_by_one_task_after_another(self, db: Database) -> None:
        async with db.session() as session:
            await asyncio.create_task(Author.create(session, email="kim"))
            await asyncio.create_task(Author.create(session, email="lee"))
            await session.commit()
        assert await Author.row_count() == 2

    async def test_a_write_of_several_statements_that_fails_leaves_nothing_in_a_given_session(
        self, db: Database
    ) -> None:
        await Author.create(email="kim")
        async with db.session() as session:
            with pytest.raises(Conflict):
                await Author.bulk_create([{"email": "lee"}, {"email": "kim", "name": "x"}], session=session)
            await session.commit()
        assert await Author.query().pluck("email") == ["kim"]
        assert checked_out(db) == 0

    async def test_an_object_in_an_open_session_is_refused_to_another(self, db: Database) -> None:
        async with db.session() as session, db.session() as other:
            user = await Author.create(session, email="kim", auto_commit=True)
            with pytest.raises(SessionSharedAcrossTasks, match="in another open session"):
                await user.update(other, age=2)
            async with db.unit() as unit:
                with pytest.raises(SessionSharedAcrossTasks, match="in another open session"):
                    await user.update(unit.session, age=2)
        assert checked_out(db) == 0


@contextlib.asynccontextmanager
async def held(db: Database, verb: str, work: Awaitable[object]) -> AsyncIterator[None]:
    """Runs work in a task, holds its statement of that verb while the block runs, and awaits its end."""
    reached, go = asyncio.Event(), asyncio.Event()

    def hold(connection: object, cursor: object, statement: str, *rest: object) -> None:
        del connection, cursor, rest
        if statement.startswith(verb) and not go.is_set():
            reached.set()
            await_only(go.wait())

    event.listen(db.engine.sync_engine, "before_cursor_execute", hold)
    task = asyncio.ensure_future(work)
    await reached.wait()
    try:
        yield
    finally:
        go.set()
    await task


class TestAssignedMeanwhile:
    """What one task assigns while another writes, reads or undoes the same object is not lost."""

    @pytest.mark.parametrize("name", ["name", "age", "email", "is_active", "seen_at"])
    async def test_value_assigned_during_an_update_is_written_by_a_save(self, db: Database, name: str) -> None:
        user = await Author.create(email="kim", name="a", age=1)
        value: Any = {"name": "b", "age": 2, "email": "lee", "is_active": False, "seen_at": dt.datetime.now(dt.UTC)}[
            name
        ]
        async with held(db, "UPDATE", user.update(name="c", age=3)):
            assert user.fill(**{name: value})
        await user.save()
        wanted: dict[str, Any] = {"name": "c", "age": 3, name: value}
        found = await Author.get(user.id)
        assert {each: getattr(found, each) for each in wanted} == wanted
        assert await user.update(**wanted) is None

    async def test_relation_is_not_assigned_during_an_update(self, db: Database) -> None:
        kim, lee = await Author.create(email="kim"), await Author.create(email="lee")
        book = await Book.create(title="a", author=kim)
        async with held(db, "UPDATE", book.update(title="b")):
            with pytest.raises(SessionSharedAcrossTasks, match=r"await \.update\(author=…\)"):
                book.author = lee
            with pytest.raises(SessionSharedAcrossTasks):
                book.fill(tags=[])
            waiting = asyncio.ensure_future(book.update(author=lee))
        await waiting
        found = await Book.get(book.id)
        assert (found.title, found.author_id, book.author) == ("b", lee.id, lee)

    async def test_loaded_relations_can_be_read_during_an_update(self, db: Database) -> None:
        user = await Author.create(email="kim")
        await Book.create(title="a", author=user)
        await user.refresh("books", "mentor")
        async with held(db, "UPDATE", user.update(age=1)):
            assert ([book.title for book in user.books], user.mentor) == (["a"], None)
        assert ([book.title for book in user.books], user.mentor) == (["a"], None)
        book = await Book.query().load("author", "tags").one()
        async with held(db, "UPDATE", book.update(title="b", price=1)):
            assert book.author is not None
            assert (book.author.id, book.tags) == (user.id, [])
        assert (await Book.get(book.id)).title == "b"

    async def test_value_assigned_during_an_insert_is_written_by_a_save(self, db: Database) -> None:
        user = Author(email="kim", name="a")
        async with held(db, "INSERT", user.save()):
            user.name, user.age = "b", 2
        await user.save()
        found = await Author.get(user.id)
        assert (found.name, found.age, user.name, user.age) == ("b", 2, "b", 2)

    async def test_value_assigned_during_a_write_that_fails_is_kept(self, db: Database) -> None:
        await Author.create(email="taken")
        user = await Author.create(email="kim", name="a")
        with pytest.raises(Conflict):
            async with held(db, "UPDATE", user.update(email="taken", age=2)):
                user.name = "b"
        assert (user.email, user.age, user.name) == ("kim", 0, "b")
        await user.save()
        assert (await Author.get(user.id)).name == "b"

    @pytest.mark.parametrize("savepoint", [False, True])
    async def test_value_assigned_during_a_unit_that_is_undone_is_kept(self, db: Database, *, savepoint: bool) -> None:
        user = await Author.create(email="kim", name="a")

        async def undone() -> None:
            async with db.unit() if savepoint else contextlib.nullcontext():
                with contextlib.suppress(KeyError):
                    async with db.unit():
                        await user.update(age=2)
                        await Author.filter_by(email="none").delete()
                        user.country = "KR"
                        raise KeyError

        async with held(db, "DELETE", undone()):
            user.name = "b"
        assert (user.age, user.country, user.name) == (0, None, "b")
        await user.save()
        found = await Author.get(user.id)
        assert (found.age, found.country, found.name) == (0, None, "b")

    async def test_value_assigned_while_its_row_is_locked_is_kept(self, db: Database) -> None:
        user = await Author.create(email="kim", name="a")

        async def lock() -> None:
            async with db.unit() as unit:
                await user.update(age=2)
                assert await Author.filter_by(id=user.id).lock().one() is user
                assert user in unit.session.dirty

        async with held(db, "SELECT", lock()):
            user.name = "b"
        found = await Author.get(user.id)
        assert (found.age, found.name) == (2, "b")


ROUNDS = 100
TOGETHER = 20  # more than the pool's 15 connections


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("aiomysql", marks=pytest.mark.mysql)], indirect=True)
class TestManyRounds:
    async def run(self, db: Database, round_: Callable[[int], Awaitable[None]]) -> None:
        for start in range(0, ROUNDS, TOGETHER):
            await asyncio.gather(*(round_(number) for number in range(start, start + TOGETHER)))
            assert checked_out(db) == 0
        await Author.create(email="still works")

    async def test_sharing_leaks_no_connection(self, db: Database) -> None:
        users = [await Author.create(email=str(number)) for number in range(20)]

        async def share(number: int) -> None:
            user = users[number % 20]
            work: list[Awaitable[object]] = [
                user.update(age=number),
                user.refresh("books") if number % 2 else user.refresh(),
                Book.create(title=str(number), author=user),
            ]
            await asyncio.gather(*work)

        await self.run(db, share)
        assert await Book.row_count() == ROUNDS

    async def test_cancelling_leaks_no_connection(self, db: Database) -> None:
        users = [await Author.create(email=str(number)) for number in range(20)]
        chance = random.Random(1)  # noqa: S311  # not for secrets

        async def in_unit(user: Author, number: int) -> None:
            await Book.create(title=str(number), author=user)
            await user.update(age=number)

        async def cancel(number: int) -> None:
            user = users[number % 20]
            task = asyncio.ensure_future(user.update(age=number) if number % 2 else db.run(in_unit, user, number))
            await asyncio.wait({task}, timeout=chance.random() * 0.05)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        await self.run(db, cancel)
        assert all(user.email == str(number) for number, user in enumerate(users))

    async def test_deadlocks_and_conflicts_leak_no_connection(self, db: Database) -> None:
        users = [await Author.create(email=str(number)) for number in range(10)]

        async def cross(number: int) -> None:
            one, other = users[number % 10], users[(number * 7 + 3) % 10]

            async def work() -> None:
                await Author.filter_by(id=one.id).update(age=Author.age + 1)
                await Author.filter_by(id=other.id).update(age=Author.age + 1)
                with contextlib.suppress(Conflict):
                    async with db.unit():
                        await Author.create(email="0")

            await db.run(work, retries=20)

        await self.run(db, cross)
        assert sum(await Author.filter_by(email__ne="still works").pluck("age")) == 2 * ROUNDS
