"""The seven defects of the library that this one replaces, each shown to be gone."""

import asyncio
import gc

import pytest

from bongsu.mixins import Database, Q, UnknownField, uuid7
from bongsu.mixins.unit import Unit
from shared.tests.mixins.library import Author, Book, Tag


class TestALostRow:
    async def test_a_row_created_before_a_self_issued_query_of_the_same_task_is_kept(self, db: Database) -> None:
        async with db.unit():
            await Author.create(email="kim@bongsu.test")
            await Author.filter_by(email="lee@bongsu.test").first()
        assert await Author.row_count() == 1

    async def test_a_row_created_in_a_passed_session_survives_a_self_issued_query(self, db: Database) -> None:
        async with db.session() as session:
            if db.dialect_name == "sqlite":  # its one writer would wait for itself, so the query comes first
                await Author.filter_by(email="lee@bongsu.test").first()
            await Author.create(session, email="kim@bongsu.test")
            if db.dialect_name != "sqlite":
                await Author.filter_by(email="lee@bongsu.test").first()
            await session.commit()
        assert await Author.row_count() == 1


@pytest.mark.usefixtures("db")
class TestTypingErrors:
    async def test_a_typing_error_in_a_filter_is_an_error_even_with_none(self) -> None:
        with pytest.raises(UnknownField, match="Author has no field 'emial'; did you mean 'email'"):
            Author.filter_by(emial=None)

    async def test_a_typing_error_in_an_order_is_an_error(self) -> None:
        with pytest.raises(UnknownField, match="did you mean 'created_at'"):
            Author.order_by("-create_at")


@pytest.mark.usefixtures("db")
class TestBrokenMethods:
    async def test_get_finds_a_row_by_its_key(self) -> None:
        made = await Author.create(email="kim@bongsu.test")
        assert (await Author.get(made.id)).email == "kim@bongsu.test"

    async def test_create_or_update_updates_an_existing_row(self) -> None:
        await Author.create(email="kim@bongsu.test", age=1)
        found, was_made = await Author.create_or_update(email="kim@bongsu.test", age=2)
        assert (found.age, was_made) == (2, False)

    async def test_a_loaded_object_can_be_saved(self) -> None:
        made = await Author.create(email="kim@bongsu.test", age=1)
        loaded = await Author.get(made.id)
        loaded.age = 2
        await loaded.save()
        assert (await Author.get(made.id)).age == 2


@pytest.mark.usefixtures("db")
class TestWildcards:
    async def test_percent_and_underscore_are_plain_characters(self) -> None:
        for title in ("100% wool", "100 wool", "a_b", "axb"):
            await Book.create(title=title)
        assert [book.title for book in await Book.filter_by(title__contains="%").all()] == ["100% wool"]
        assert [book.title for book in await Book.filter_by(title__contains="a_b").all()] == ["a_b"]


@pytest.mark.usefixtures("db")
class TestQueriesAreNoRows:
    async def test_a_chain_without_an_end_cannot_be_awaited(self) -> None:
        with pytest.raises(TypeError):
            await Author.filter_by(age=1)  # type: ignore[misc]  # the mistake under test

    async def test_a_chain_has_no_truth_value(self) -> None:
        with pytest.raises(TypeError, match="exists"):
            bool(Author.filter_by(age=1))

    async def test_the_hash_of_an_object_stays_the_same_when_it_is_written(self, db: Database) -> None:
        author = Author(email="kim@bongsu.test")
        before = hash(author)
        async with db.unit() as unit:
            await author.save()
            assert hash(author) == before
            assert author in unit.session


class TestLeftovers:
    async def test_a_thousand_tasks_leave_no_thousand_units_behind(self, db: Database) -> None:
        async def work() -> None:
            async with db.unit():
                await Author.filter_by(age=-1).exists()

        for _ in range(20):
            await asyncio.gather(*(work() for _ in range(50)))
        gc.collect()
        left = [item for item in gc.get_objects() if isinstance(item, Unit)]
        # A pooled connection keeps the context that it was opened in, and so that context's unit, ended and empty.
        assert len(left) <= 15
        assert not any(unit.is_open or unit.task for unit in left)

    @pytest.mark.usefixtures("db")
    async def test_more_self_issued_creates_than_the_pool_has_connections_all_succeed(self) -> None:
        await asyncio.gather(*(Author.create(email=f"{number}@bongsu.test") for number in range(40)))
        assert await Author.row_count() == 40


@pytest.mark.usefixtures("db")
class TestToManyFilters:
    async def test_a_parent_with_several_matching_children_comes_once(self) -> None:
        author = await Author.create(email="kim@bongsu.test")
        await Book.bulk_create([{"title": f"part {number}", "author_id": author.id} for number in range(3)])
        assert len(await Author.filter_by(books__title__startswith="part").all()) == 1
        assert await Author.filter_by(Q(books__title="part 0") | Q(books__title="part 1")).count() == 1

    async def test_a_filter_over_two_to_many_relations_multiplies_nothing(self) -> None:
        tags = [Tag(label=f"tag {number}") for number in range(3)]
        author = Author(email="kim@bongsu.test")
        await Book(title="tagged", author=author, tags=tags).save()
        assert await Author.filter_by(books__tags__label__in=["tag 0", "tag 1"]).count() == 1
        assert await Author.filter_by(books__tags__id=uuid7()).count() == 0
