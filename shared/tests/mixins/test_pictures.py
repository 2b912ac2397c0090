"""Objects that were first read in a transaction that is undone, after it wrote: they take what their rows hold."""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import event, inspect
from sqlalchemy.exc import OperationalError

from bongsu.mixins import Database, NotLoaded
from bongsu.mixins.pictures import read_back
from shared.tests.mixins.library import Author, Book, Counter, Engineer, Note, Place, Visit
from shared.tests.mixins.test_memory import Undo, Undone


@pytest.fixture(params=["unit", "savepoint", "nested unit"])
def undone(request: pytest.FixtureRequest, db: Database) -> Undo:
    return Undo(db, str(request.param))


class Reading:
    """Reads an object after a write, and keeps it."""

    def __init__(self, write: Callable[[], Awaitable[object]], read: Callable[[], Awaitable[object]]) -> None:
        self.write = write
        self.read = read
        self.found: object = None

    async def __call__(self) -> None:
        await self.write()
        self.found = await self.read()


class TestRead:
    async def test_value_of_a_bulk_write_is_taken_back(self, undone: Undo) -> None:
        author = await Author.create(email="kim", name="a")
        reading = Reading(lambda: Author.filter_by(email="kim").update(name="b"), lambda: Author.get(email="kim"))
        await undone(reading)
        found = reading.found
        assert isinstance(found, Author)
        assert found.name == "a"
        assert await found.update(name="b") is found
        assert (await Author.get(author.id)).name == "b"

    async def test_object_that_was_written_after_it_was_read_is_taken_back(self, undone: Undo) -> None:
        counter = await Counter.create(label="x")

        async def read_and_write() -> Counter:
            found = await Counter.get(counter.id)
            await found.update(value=found.value + 1)
            found.label = "unsaved"
            return found

        reading = Reading(lambda: Counter.bulk_update([{"id": counter.id, "value": 5}]), read_and_write)
        await undone(reading)
        found = reading.found
        assert isinstance(found, Counter)
        assert (found.value, found.version, found.label) == (0, 1, "x")
        await found.update(value=1)
        assert (await Counter.get(counter.id)).version == 2

    async def test_object_whose_row_is_undone_is_new(self, undone: Undo) -> None:
        reading = Reading(lambda: Author.bulk_create([{"email": "kim", "age": 3}]), lambda: Author.get(email="kim"))
        await undone(reading)
        found = reading.found
        assert isinstance(found, Author)
        assert (found.email, await Author.row_count()) == ("kim", 0)
        await found.save()
        assert (await Author.get(found.id)).age == 3

    async def test_keys_of_two_columns_of_several_tables_and_counted_keys_are_found(self, undone: Undo) -> None:
        place = Place(id=Author().id, shelf=3, label="a")
        await place.save()
        engineer = await Engineer.create(name="a", lang="a")
        visit = await Visit.create(who="a")

        async def write() -> None:
            await Place.filter_by(shelf=3).update(label="b")
            await Engineer.filter_by(name="a").update(name="b", lang="b")
            await Visit.filter_by(who="a").update(who="b")

        async def read() -> list[object]:
            return [await Place.get(place.id, 3), await Engineer.get(engineer.id), await Visit.get(visit.id)]

        reading = Reading(write, read)
        await undone(reading)
        assert isinstance(reading.found, list)
        found_place, found_engineer, found_visit = reading.found
        assert (found_place.label, found_engineer.name, found_engineer.lang, found_visit.who) == ("a", "a", "a", "a")

    async def test_mark_of_a_bulk_delete_is_taken_back(self, undone: Undo) -> None:
        await Note.create(text="x")
        reading = Reading(lambda: Note.filter_by(text="x").delete(), lambda: Note.query().with_deleted().one())
        await undone(reading)
        assert isinstance(reading.found, Note)
        assert not reading.found.is_deleted

    async def test_relations_that_the_transaction_may_have_changed_are_loaded_again(self, undone: Undo) -> None:
        kim, lee = await Author.create(email="kim"), await Author.create(email="lee")
        await Book.create(title="x", author_id=kim.id)
        reading = Reading(
            lambda: Book.filter_by(title="x").update(author_id=lee.id),
            lambda: Book.query().load("author", "tags").one(),
        )
        await undone(reading)
        book = reading.found
        assert isinstance(book, Book)
        with pytest.raises(NotLoaded):
            _ = book.author
        await book.refresh("author", "tags")
        assert book.author is not None
        assert (book.author.email, book.tags) == ("kim", [])

    async def test_object_is_unreadable_where_its_row_cannot_be_read(self, db: Database) -> None:
        await Author.create(email="kim", name="a")

        def fail(connection: object, cursor: object, statement: str, *rest: object) -> None:
            del connection, cursor, rest
            raise OperationalError(statement, None, Exception("as if the database had gone away"))

        with pytest.raises(Undone):  # noqa: PT012  # the block under test raises
            async with db.unit():
                await Author.filter_by(email="kim").update(name="b")
                author = await Author.get(email="kim")
                event.listen(db.engine.sync_engine, "before_cursor_execute", fail)
                raise Undone
        event.remove(db.engine.sync_engine, "before_cursor_execute", fail)
        assert "name" not in author.__dict__
        await author.refresh()
        assert author.name == "a"


class TestFreedObjects:
    async def test_object_without_a_row_is_freed_cleanly_while_the_map_of_its_session_lives(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unraised: list[object] = []
        monkeypatch.setattr(sys, "unraisablehook", unraised.append)
        async with db.unit() as unit:
            author = await Author.create(email="kim", name="a")
            held = unit.session.sync_session.identity_map
        await Author.filter_by(id=author.id).delete()
        async with db.engine.connect() as connection:
            await connection.run_sync(read_back, [inspect(author)])
        assert inspect(author).key is None
        del author
        gc.collect()
        assert not unraised
        del held

    async def test_object_of_a_cancelled_unit_is_freed_cleanly_while_the_map_of_its_session_lives(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unraised: list[object] = []
        monkeypatch.setattr(sys, "unraisablehook", unraised.append)
        held: list[object] = []
        created = asyncio.Event()

        async def create() -> None:
            async with db.unit() as unit:
                author = await Author.create(email="kim", name="a")
                held.extend((author, unit.session.sync_session.identity_map))
                created.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(create())
        await created.wait()
        task.cancel()
        await asyncio.wait([task])
        author, identity_map = held
        state = inspect(author)
        assert (state.key, state.session, state.transient) == (None, None, True)
        held.clear()
        del author, state, task
        gc.collect()
        assert not unraised
        del identity_map
