"""Objects after a rollback: as they were before, so that the same call writes again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import PoolProxiedConnection

from bongsu.mixins import Conflict, Database, NotFound, TransactionLost, UnitFailed
from shared.tests.mixins.library import Author, Book, Counter, Drawer, Engineer, Folder, Memo, Note, Sheet, Tag, Visit


class Undone(Exception):
    pass


@pytest.fixture(params=["unit", "savepoint", "nested unit"])
def undone(request: pytest.FixtureRequest, db: Database) -> "Undo":
    return Undo(db, str(request.param))


class Undo:
    """Runs work in a transaction that is rolled back."""

    def __init__(self, db: Database, kind: str) -> None:
        self.db = db
        self.kind = kind

    async def __call__(self, *works: Callable[[], Awaitable[object]]) -> None:
        async def run() -> None:
            for work in works:
                await work()

        if self.kind == "unit":
            with pytest.raises(Undone):  # noqa: PT012  # the block under test raises
                async with self.db.unit():
                    await run()
                    raise Undone
        else:
            async with self.db.unit() as outer:
                with pytest.raises(Undone):  # noqa: PT012  # the block under test raises
                    async with outer.savepoint() if self.kind == "savepoint" else self.db.unit():
                        await run()
                        raise Undone


class TestRollback:
    async def test_update_writes_again(self, undone: Undo) -> None:
        author = await Author.create(email="kim", name="a")
        await undone(lambda: author.update(name="b"))
        assert author.name == "a"
        assert await author.update(name="b") is author
        assert (await Author.get(author.id)).name == "b"

    async def test_a_write_of_the_old_value_is_sent_after_a_commit_was_cancelled(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        author = await Author.create(email="kim", name="a")
        dialect = db.engine.sync_engine.dialect
        commit = dialect.do_commit

        def cancelled(connection: PoolProxiedConnection) -> None:
            commit(connection)
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(dialect, "do_commit", cancelled)
            with pytest.raises(asyncio.CancelledError):
                await author.update(name="b")
        assert (await Author.get(author.id)).name == "b"
        assert await author.update(name="a") is author
        assert (await Author.get(author.id)).name == "a"
        assert await author.update(name="a") is None

    async def test_objects_stay_readable_when_a_unit_goes_on_after_a_failed_write(self, db: Database) -> None:
        author, other = await Author.create(email="kim"), await Author.create(email="lee")
        async with db.unit():
            await other.update(age=1)
            with pytest.raises(UnitFailed):  # noqa: PT012  # the block under test raises
                async with db.unit():
                    other.fill(name="x")
                    with pytest.raises(Conflict):
                        await author.update(email="lee")
                    with pytest.raises(UnitFailed):
                        await other.update(name="y")
            assert (author.email, other.email, other.age, other.name) == ("kim", "lee", 1, None)
            await other.update(name="z")
        assert (await Author.get(other.id)).to_dict(only=["age", "name"]) == {"age": 1, "name": "z"}

    async def test_a_document_that_was_changed_in_place_is_not_none(self, undone: Undo) -> None:
        held: list[Memo] = []
        made = await Memo.create(title="a", watched={"a": 1})

        async def change() -> None:
            held.append(await Memo.get(made.id))
            assert held[0].watched is not None
            held[0].watched["a"] = 2
            await held[0].save()

        await undone(change)
        assert held[0].watched == {"a": 1}
        held[0].watched["a"] = 3
        await held[0].save()
        assert (await Memo.get(made.id)).watched == {"a": 3}

    async def test_a_document_that_was_changed_in_place_after_another_write_is_restored(self, undone: Undo) -> None:
        memo = await Memo.create(title="a", watched={"a": [1]})
        assert memo.watched is not None

        async def change() -> None:
            await memo.update(title="b")
            assert memo.watched is not None
            memo.watched["b"] = 2
            await memo.save()

        await undone(change)
        assert memo.watched == {"a": [1]}
        assert await memo.update(watched={"a": [1], "b": 2})
        assert (await Memo.get(memo.id)).watched == {"a": [1], "b": 2}
        await undone(change)
        memo.watched["c"] = 3
        await memo.save()
        assert (await Memo.get(memo.id)).watched == {"a": [1], "b": 2, "c": 3}

    async def test_a_child_that_left_is_no_orphan_afterwards(self, undone: Undo) -> None:
        made = await Drawer.create(label="a", sheets={"a": Sheet(name="a"), "b": Sheet(name="b")})
        drawer = await Drawer.filter_by(id=made.id).load("sheets").one()
        left = drawer.sheets["a"]
        await undone(lambda: drawer.update(sheets={}))
        assert sorted(drawer.sheets) == ["a", "b"]
        await left.update(name="c")
        assert await Sheet.order_by("name").pluck("name") == ["b", "c"]

    async def test_a_child_whose_removal_is_unsaved_is_deleted_by_the_next_save(self, undone: Undo) -> None:
        made = await Drawer.create(label="a", sheets={"a": Sheet(name="a"), "b": Sheet(name="b")})
        drawer = await Drawer.filter_by(id=made.id).load("sheets").one()
        del drawer.sheets["a"]
        await undone(drawer.save)
        await drawer.save()
        assert await Sheet.query().with_deleted().pluck("name") == ["b"]

    async def test_timestamps_are_restored(self, undone: Undo) -> None:
        author = await Author.create(email="kim")
        before = author.updated_at
        await undone(lambda: author.update(name="b"))
        assert author.updated_at == before

    async def test_save_inserts_a_new_object_again(self, undone: Undo) -> None:
        author = Author(email="kim", name="a")
        key = author.id
        await undone(author.save)
        await author.save()
        assert (await Author.get(key)).name == "a"

    async def test_save_inserts_a_created_object_again_with_its_relations(self, undone: Undo) -> None:
        user, tag = await Author.create(email="kim"), await Tag.create(label="red")
        held: list[Book] = []

        async def create() -> None:
            held.append(await Book.create(title="a", author=user, tags=[tag]))
            held.append((await Book.get_or_create(title="b", author=user))[0])
            held.append((await Book.create_or_update(by="title", title="c", author=Author(email="new")))[0])

        await undone(create)
        for book in held:
            await book.save()
        assert held[0].author is user
        assert await Book.filter_by(author=user).order_by("title").pluck("title") == ["a", "b"]
        assert await Book.filter_by(tags=tag).pluck("title") == ["a"]
        assert await Book.filter_by(author__email="new").pluck("title") == ["c"]

    async def test_save_inserts_again_where_the_database_counts_keys(self, undone: Undo) -> None:
        visit = Visit(who="kim")
        await undone(visit.save)
        assert visit.to_dict(only=["who"]) == {"who": "kim"}
        await visit.save()
        assert (await Visit.get(visit.id)).who == "kim"

    async def test_save_writes_unsaved_values_again(self, undone: Undo) -> None:
        author = await Author.create(email="kim", name="a")
        author.fill(name="b")
        await undone(author.save)
        assert author.name == "b"
        await author.save()
        assert (await Author.get(author.id)).name == "b"

    async def test_update_writes_a_value_that_fill_set(self, db: Database) -> None:
        del db
        author = await Author.create(email="kim", name="a")
        author.fill(name="b")
        assert await author.update(name="b") is author
        assert (await Author.get(author.id)).name == "b"

    async def test_delete_deletes_again(self, undone: Undo) -> None:
        author = await Author.create(email="kim")
        await undone(author.delete)
        assert author.email == "kim"
        await author.delete()
        assert await Author.row_count() == 0

    async def test_soft_delete_marks_again(self, undone: Undo) -> None:
        note = await Note.create(text="x")
        await undone(note.delete)
        assert note.deleted_at is None
        await note.delete()
        assert await Note.query().count() == 0
        await undone(note.restore)
        assert note.is_deleted
        await note.restore()
        assert await Note.query().count() == 1

    async def test_versions_are_restored(self, undone: Undo) -> None:
        counter = await Counter.create(label="x")
        await undone(lambda: counter.update(value=1))
        assert counter.version == 1
        await counter.update(value=2)
        assert (await Counter.get(counter.id)).value == 2

    async def test_objects_of_several_tables_are_restored(self, undone: Undo) -> None:
        made = await Engineer.create(name="g", lang="c")
        await undone(lambda: made.update(name="h", lang="d"))
        assert (made.name, made.lang) == ("g", "c")
        await made.update(name="h", lang="d")
        assert await Engineer.filter_by(name="h", lang="d").count() == 1

    async def test_two_updates_are_taken_back_together(self, undone: Undo) -> None:
        author = await Author.create(email="kim", name="a")
        await undone(lambda: author.update(name="b"), lambda: author.update(name="c", age=3), author.refresh)
        assert (author.name, author.age) == ("a", 0)

    async def test_a_bulk_write_of_a_loaded_row_is_taken_back(self, db: Database) -> None:
        await Author.create(email="kim", name="a")
        with pytest.raises(Undone):  # noqa: PT012  # the block under test raises
            async with db.unit():
                author = await Author.get(email="kim")
                await Author.filter_by(email="kim").update(name="b")
                assert author.name == "b"
                raise Undone
        assert author.name == "a"
        await author.update(name="b")
        assert await Author.filter_by(name="b").count() == 1

    async def test_an_assigned_value_is_taken_back(self, db: Database) -> None:
        await Author.create(email="kim", name="a")
        with pytest.raises(Undone):  # noqa: PT012  # the block under test raises
            async with db.unit():
                author = await Author.get(email="kim")
                author.name = "b"
                await Author.row_count()
                raise Undone
        assert await author.update(name="b") is author
        assert await Author.filter_by(name="b").count() == 1

    async def test_relations_are_restored(self, undone: Undo) -> None:
        kim, lee = await Author.create(email="kim"), await Author.create(email="lee")
        book = await Book.create(title="x", author=kim)
        assert book.author is kim
        await undone(lambda: book.update(author=lee))
        assert (book.author, book.author_id) == (kim, kim.id)
        await book.update(author=lee)
        assert (await Book.get(book.id)).author_id == lee.id

    async def test_collections_are_restored(self, undone: Undo) -> None:
        red, blue = await Tag.create(label="red"), await Tag.create(label="blue")
        book = await Book.create(title="x", tags=[red])
        await undone(lambda: book.update(tags=[red, blue]))
        assert book.tags == [red]
        await book.update(tags=[red, blue])
        assert await Tag.filter_by(books__id=book.id).count() == 2

    async def test_children_are_inserted_again(self, undone: Undo) -> None:
        folder = Folder(label="f", notes=[Note(text="a"), Note(text="b")])
        await undone(folder.save)
        await folder.save()
        assert await Note.filter_by(folder__label="f").count() == 2

    async def test_loaded_object_stays_readable_after_a_rollback(self, undone: Undo, db: Database) -> None:
        await Author.create(email="kim", books=[Book(title="x")])
        found: list[Author] = []

        async def read() -> None:
            found.append(await Author.query().load("books").one())
            await Author.create(email="lee")

        await undone(read)
        assert found[0].email == "kim"
        assert [book.title for book in found[0].books] == ["x"]
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool


class TestFailedCalls:
    async def test_update_takes_its_values_back_at_a_conflict(self, db: Database) -> None:
        await Author.create(email="kim")
        lee = await Author.create(email="lee", name="a")
        with pytest.raises(Conflict):
            await lee.update(email="kim", name="b")
        assert (lee.email, lee.name) == ("lee", "a")
        await lee.update(name="b")
        async with db.unit() as unit:
            with pytest.raises(Conflict):
                async with unit.savepoint():
                    await lee.update(email="kim")
            assert lee.email == "lee"
            await lee.update(name="c")
        assert (await Author.get(email="lee")).name == "c"

    async def test_save_can_be_repeated_with_other_values(self, db: Database) -> None:
        del db
        await Author.create(email="kim")
        author = Author(email="kim")
        with pytest.raises(Conflict):
            await author.save()
        author.fill(email="lee")
        await author.save()
        assert await Author.row_count() == 2

    async def test_objects_of_a_failed_unit_stay_readable(self, db: Database) -> None:
        await Author.create(email="kim", name="a")
        with pytest.raises(Conflict):  # noqa: PT012  # the block under test raises
            async with db.unit():
                kim = await Author.get(email="kim")
                await Author.create(email="kim")
        assert kim.name == "a"

    async def test_refresh_of_an_object_that_the_unit_deleted_is_not_found(self, db: Database) -> None:
        folder = await Folder.create(label="f")
        async with db.unit():
            await folder.delete()
            with pytest.raises(NotFound):
                await folder.refresh("notes")

    async def test_refresh_of_a_row_that_is_gone_leaves_the_object_readable(self, db: Database) -> None:
        del db
        author = await Author.create(email="kim", name="a")
        await Author.filter_by(email="kim").delete()
        with pytest.raises(NotFound):
            await author.refresh()
        assert author.name == "a"

    async def test_refresh_of_a_relation_keeps_unsaved_values(self, db: Database) -> None:
        del db
        author = await Author.create(email="kim", name="a")
        author.fill(name="b")
        await author.refresh("books")
        assert author.name == "b"
        assert (await Author.get(author.id)).name == "a"
        await author.save()
        assert (await Author.get(author.id)).name == "b"


class TestRetries:
    async def test_a_repeated_unit_finds_objects_as_before(self, db: Database) -> None:
        author = await Author.create(email="kim", age=1)
        fresh = Author(email="lee")
        runs = 0

        async def work() -> None:
            nonlocal runs
            runs += 1
            await author.update(age=author.age + 1)
            await fresh.save()
            if runs < 3:
                raise TransactionLost("as if")

        await db.run(work, retries=3)
        assert author.age == 2
        assert await Author.order_by("email").values_list("email", "age") == [("kim", 2), ("lee", 0)]

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_a_deadlock_of_a_bulk_statement_loses_no_update(self, db: Database) -> None:
        first, second = await Author.create(email="1"), await Author.create(email="2")
        both_hold_one, runs = asyncio.Barrier(2), 0

        async def cross(mine: Author, others: Author) -> None:
            nonlocal runs
            runs += 1
            await mine.update(name="done")
            if runs <= 2:
                await both_hold_one.wait()
            await Author.filter_by(id=others.id).update(age=Author.age + 1)

        await asyncio.gather(db.run(cross, first, second), db.run(cross, second, first))
        assert runs >= 3
        assert await Author.order_by("email").values_list("name", "age") == [("done", 1), ("done", 1)]
