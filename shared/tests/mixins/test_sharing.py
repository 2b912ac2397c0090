"""One object in several tasks: calls wait for one another or raise `SessionSharedAcrossTasks`, and leak nothing."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import pytest

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

    async def test_an_object_in_an_open_session_is_refused_to_another(self, db: Database) -> None:
        async with db.session() as session, db.session() as other:
            user = await Author.create(session, email="kim", auto_commit=True)
            with pytest.raises(SessionSharedAcrossTasks, match="in another open session"):
                await user.update(other, age=2)
            async with db.unit() as unit:
                with pytest.raises(SessionSharedAcrossTasks, match="in another open session"):
                    await user.update(unit.session, age=2)
        assert checked_out(db) == 0


ROUNDS = 1000
TOGETHER = 40


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
