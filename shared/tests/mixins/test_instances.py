"""Every method, on objects in every state: what it does, or which error of the library it raises."""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bongsu.mixins import (
    Conflict,
    Database,
    MixinError,
    NotFound,
    StaleVersion,
    WrongValueForLookup,
    uuid7,
)
from shared.tests.mixins.library import Author, Book, Drawer, LibraryBase, Note, Sheet
from shared.tests.mixins.test_memory import Undone

Error = type[MixinError] | None

METHODS: dict[str, Callable[[Author], Awaitable[object]]] = {
    "save": lambda author: author.save(),
    "update": lambda author: author.update(name="x"),
    "update a relation": lambda author: author.update(books=[Book(title="x")]),
    "delete": lambda author: author.delete(),
    "refresh": lambda author: author.refresh(),
    "refresh a column": lambda author: author.refresh("name"),
    "refresh a relation": lambda author: author.refresh("books"),
    "refer to it": lambda author: Book.create(title="x", author=author),
    "list it": lambda author: Author.create(email=str(uuid7()), pupils=[author]),
    "bulk_create": lambda author: Author.bulk_create([author]),
    "bulk_update": lambda author: Author.bulk_update([author]),
}
SAVED: dict[str, Error] = dict.fromkeys(METHODS) | {"bulk_create": WrongValueForLookup}
NEW: dict[str, Error] = dict.fromkeys(METHODS) | dict.fromkeys(
    ("delete", "refresh", "refresh a column", "refresh a relation"), NotFound
)
DELETED: dict[str, Error] = dict.fromkeys(METHODS, NotFound) | {
    "delete": None,
    "refer to it": Conflict,
    "bulk_create": WrongValueForLookup,
    "bulk_update": None,
}
GONE: dict[str, Error] = SAVED | {
    "update": StaleVersion,
    "update a relation": Conflict,
    "refresh": NotFound,
    "refresh a column": NotFound,
    "refresh a relation": NotFound,
    "refer to it": Conflict,
    "list it": StaleVersion,
}
STATES: dict[str, dict[str, Error]] = {
    "new": NEW,
    "saved": SAVED,
    "unsaved value": SAVED,
    "deleted": DELETED,
    "gone": GONE,
    "creation rolled back": NEW,
    "deletion rolled back": SAVED,
    "of another database": GONE,
}


@pytest.fixture
def other_file(tmp_path: Path, sqlite_template: Path) -> Path:
    """A file with the same tables."""
    file = tmp_path / "other.sqlite3"
    shutil.copy(sqlite_template, file)
    return file


async def author_of_another_database(db: Database, file: Path) -> Author:
    """An object of a database that its model does not use."""
    other = Database(f"sqlite+aiosqlite:///{file}", LibraryBase)
    LibraryBase.__database__ = db
    async with other.unit():
        author = await Author.create(email=str(uuid7()))
    await other.dispose()
    return author


async def author_in(state: str, db: Database, other_file: Path) -> Author:
    if state == "new":
        return Author(email=str(uuid7()))
    if state == "of another database":
        return await author_of_another_database(db, other_file)
    if state == "creation rolled back":
        author = Author(email=str(uuid7()))
        with pytest.raises(Undone):  # noqa: PT012  # the block under test raises
            async with db.unit():
                await author.save()
                raise Undone
        return author
    author = await Author.create(email=str(uuid7()))
    if state == "unsaved value":
        author.fill(age=5)
    elif state == "deleted":
        await author.delete()
    elif state == "gone":
        await Author.filter_by(id=author.id).delete()
    elif state == "deletion rolled back":
        with pytest.raises(Undone):  # noqa: PT012  # the block under test raises
            async with db.unit():
                await author.delete()
                raise Undone
    return author


class TestEveryState:
    @pytest.mark.parametrize("in_unit", [False, True], ids=["alone", "in a unit"])
    @pytest.mark.parametrize("state", STATES)
    async def test_method_works_or_raises_an_error_of_the_library(
        self, db: Database, other_file: Path, subtests: pytest.Subtests, state: str, in_unit: bool
    ) -> None:
        for name, method in METHODS.items():  # a database for each of them takes longer than the calls
            with subtests.test(method=name):
                author = await author_in(state, db, other_file)
                expected = STATES[state][name]
                with contextlib.nullcontext() if expected is None else pytest.raises(expected) as caught:
                    async with db.unit() if in_unit else contextlib.nullcontext():
                        await method(author)
                if expected is not None:
                    assert caught is not None
                    assert type(caught.value) is expected
                assert author.email
                assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool

    @pytest.mark.parametrize("method", METHODS)
    async def test_method_on_an_object_that_the_unit_deleted(self, db: Database, method: str) -> None:
        expected = DELETED[method]
        author = await Author.create(email="kim")
        async with db.unit():
            await author.delete()
            if expected is None:
                await METHODS[method](author)
            else:
                with pytest.raises(NotFound if method == "refer to it" else expected):
                    await METHODS[method](author)
        assert await Author.row_count() == 0

    @pytest.mark.parametrize("method", METHODS)
    async def test_method_waits_for_the_unit_of_another_task(self, db: Database, method: str) -> None:
        author = await Author.create(email="kim")
        held, done = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with db.unit():
                await author.update(age=7)
                held.set()
                await done.wait()

        async def call() -> None:
            await METHODS[method](author)

        holder = asyncio.create_task(hold())
        await held.wait()
        waiting = asyncio.create_task(call())
        await asyncio.sleep(0)
        done.set()
        await holder
        expected = SAVED[method]
        if expected is None:
            await waiting
        else:
            with pytest.raises(expected):
                await waiting
        assert author.age == 7
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool


class TestSoftDeleted:
    @pytest.mark.parametrize(
        ("method", "of_new", "of_marked", "of_deleted"),
        [
            ("save", None, None, NotFound),
            ("delete", NotFound, None, None),
            ("delete hard", NotFound, None, None),
            ("restore", NotFound, None, NotFound),
            ("refresh", NotFound, None, NotFound),
        ],
    )
    async def test_method_works_or_raises_not_found(
        self, db: Database, method: str, of_new: Error, of_marked: Error, of_deleted: Error
    ) -> None:
        del db
        marked, deleted = await Note.create(text="x"), await Note.create(text="x")
        await marked.delete()
        await deleted.delete(hard=True)
        for note, expected in ((Note(text="x"), of_new), (marked, of_marked), (deleted, of_deleted)):
            call = note.delete(hard=True) if method == "delete hard" else getattr(note, method)()
            if expected is None:
                await call
            else:
                with pytest.raises(expected):
                    await call


class TestCollectionsThatAreDicts:
    async def test_they_are_created_loaded_replaced_and_serialised(self, db: Database) -> None:
        made = await Drawer.create(label="a", sheets={"a": Sheet(name="a")})
        drawer = await Drawer.get(made.id)
        await drawer.update(sheets={"b": Sheet(name="b"), "c": Sheet(name="c")})
        found = await Drawer.filter_by(id=made.id).load("sheets").one()
        assert sorted(found.sheets) == ["b", "c"]
        await found.sheets["b"].delete()
        await drawer.refresh("sheets")
        assert list(drawer.sheets) == ["c"]
        assert list(drawer.to_json_dict(only=["label"], relations=["sheets"])["sheets"]) == ["c"]  # type: ignore[arg-type]  # a dict of dicts
        async with db.unit():
            await drawer.update(sheets={})
        assert await Sheet.row_count() == 0


@pytest.mark.usefixtures("db")
class TestRelations:
    async def test_collection_that_was_not_loaded_is_replaced(self) -> None:
        made = await Author.create(email="kim", books=[Book(title="a"), Book(title="b")])
        author = await Author.get(made.id)
        await author.update(books=[Book(title="c")])
        assert [book.title for book in author.books] == ["c"]
        assert await Book.filter_by(author=author).pluck("title") == ["c"]
        assert await Book.filter_by(author__isnull=True).count() == 2

    async def test_new_object_that_refers_to_itself_says_what_to_do(self) -> None:
        author = Author(email="kim")
        author.mentor = author
        with pytest.raises(MixinError, match="without that relation"):
            await author.save()

    async def test_bulk_create_in_a_unit_writes_nothing_of_an_object_that_has_a_row(self, db: Database) -> None:
        author = await Author.create(email="kim")
        await author.delete()
        async with db.unit():
            with pytest.raises(WrongValueForLookup, match="has or had a row"):
                await Author.bulk_create([{"email": "lee"}, author])
        assert await Author.row_count() == 0
