import pytest
from sqlalchemy import text

from bongsu.mixins import Database, Query, WrongCursor, WrongValueForLookup
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import Author, Book, Crate, Turn


@pytest.fixture
async def people(db: Database) -> Database:
    ages = [3, 1, 2, 1, 3, 2, 1]
    countries = ["KR", None, "US", None, "KR", "KR", "US"]
    await Author.bulk_create(
        [
            {"email": f"{number}", "age": age, "country": country}
            for number, (age, country) in enumerate(zip(ages, countries, strict=True))
        ]
    )
    return db


async def walk(size: int, *order: str) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        page = await Author.order_by(*order).after(cursor, size)
        pages.append([author.email for author in page.items])
        cursor = page.next
        if cursor is None:
            return pages


class TestPage:
    async def test_a_page_holds_its_rows_and_the_total(self, people: Database, statements: Statements) -> None:
        del people
        statements.take()
        page = await Author.order_by("email").page(2, 3)
        assert [author.email for author in page.items] == ["3", "4", "5"]
        assert (page.total, page.number, page.size, page.pages) == (7, 2, 3, 3)
        assert len(statements.take()) == 2

    async def test_a_page_past_the_end_is_empty(self, people: Database) -> None:
        del people
        page = await Author.order_by("email").page(4, 3)
        assert (page.items, page.total) == ([], 7)

    async def test_rows_that_tie_do_not_move_between_pages(self, people: Database) -> None:
        del people
        pages = [await Author.order_by("age").page(number, 2) for number in (1, 2, 3, 4)]
        assert sorted(author.email for page in pages for author in page.items) == list("0123456")

    @pytest.mark.parametrize(("number", "size"), [(0, 1), (1, 0), (-1, 5)])
    async def test_pages_count_from_one(self, number: int, size: int) -> None:
        with pytest.raises(WrongValueForLookup):
            await Author.order_by("email").page(number, size)


class TestAfter:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
    @pytest.mark.parametrize(
        "order", [(), ("email",), ("-email",), ("age", "-email"), ("-age", "email"), ("country",), ("-country", "age")]
    )
    async def test_pages_give_the_rows_of_the_whole_order(
        self, people: Database, size: int, order: tuple[str, ...]
    ) -> None:
        del people
        whole = await Author.order_by(*order, *_key_after(order)).pluck("email")
        pages = await walk(size, *order)
        assert [email for page in pages for email in page] == whole
        assert all(len(page) == size for page in pages[:-1])

    async def test_field_may_be_named_twice_in_the_order(self, people: Database) -> None:
        del people
        paged = [author.email async for author in Author.order_by("email", "-email").stream(1)]
        assert paged == await Author.order_by("email").pluck("email")

    async def test_a_full_last_page_is_the_end(self, people: Database) -> None:
        del people
        assert (await Author.order_by("email").after(None, 7)).next is None

    async def test_a_row_that_comes_in_between_shifts_nothing(self, people: Database) -> None:
        del people
        first = await Author.order_by("email").after(None, 3)
        await Author.create(email="00")
        second = await Author.order_by("email").after(first.next, 3)
        assert [author.email for author in second.items] == ["3", "4", "5"]

    async def test_a_cursor_goes_with_its_order(self, people: Database) -> None:
        del people
        page = await Author.order_by("email").after(None, 3)
        with pytest.raises(WrongCursor, match="another order"):
            await Author.order_by("-email").after(page.next, 3)
        with pytest.raises(WrongCursor, match="another"):
            await Book.order_by("title").after(page.next, 3)

    @pytest.mark.parametrize("cursor", ["", "nonsense", "%%%", "e30", "W10", "bnVsbA", "WzFd", "WzEsMl0", "é"])
    async def test_any_other_text_is_refused(self, people: Database, cursor: str) -> None:
        del people
        with pytest.raises(WrongCursor):
            await Author.order_by("email").after(cursor, 3)

    async def test_the_order_is_of_own_columns(self) -> None:
        with pytest.raises(WrongValueForLookup, match="own columns only"):
            await Book.order_by("author.name").after(None, 3)


def _key_after(order: tuple[str, ...]) -> list[str]:
    return ["-id" if order and order[-1].startswith("-") else "id"]


class TestStream:
    @pytest.mark.parametrize("batch", [1, 3, 7, 100])
    async def test_every_row_comes_once_in_order(self, people: Database, batch: int) -> None:
        del people
        assert [author.email async for author in Author.order_by("email").stream(batch)] == list("0123456")

    async def test_limit_bounds_a_stream(self, people: Database) -> None:
        del people
        assert [author.email async for author in Author.order_by("email").limit(4).stream(3)] == list("0123")

    async def test_no_connection_is_held_between_batches(self, people: Database) -> None:
        async for _ in Author.order_by("email").stream(2):
            assert people.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool

    async def test_other_calls_may_come_in_between_in_one_unit(self, people: Database) -> None:
        async with people.unit():
            async for author in Author.order_by("email").stream(2):
                await author.update(age=author.age + 1)
        assert await Author.filter_by(age=1).count() == 0


@pytest.mark.usefixtures("db")
class TestCursorsOfEveryKind:
    async def collect(self, query: Query[Crate], size: int) -> list[Crate]:
        found, cursor = list[Crate](), None
        while True:
            page = await query.after(cursor, size)
            found += page.items
            cursor = page.next
            if cursor is None:
                return found

    # MariaDB and MySQL refuse such rows themselves.
    @pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
    async def test_rows_that_the_library_would_not_write_are_followed(self, db: Database) -> None:
        await Crate.bulk_create([{"tiny": number} for number in range(5)])
        async with db.unit() as unit:
            await unit.session.execute(text("UPDATE crates SET tiny = tiny + 1000"))
        found = await self.collect(Crate.query().order_by("-tiny"), 2)
        assert [crate.tiny for crate in found] == [1004, 1003, 1002, 1001, 1000]

    async def test_bounds_that_each_page_would_repeat_are_refused(self) -> None:
        for query in (Crate.query().limit(3), Crate.query().offset(3)):
            with pytest.raises(WrongValueForLookup, match="cursor pages take no limit and no offset"):
                await query.after(None, 2)
        await Crate.bulk_create([{"tiny": number} for number in range(5)])
        assert len([crate async for crate in Crate.query().limit(3).stream(2)]) == 3

    @pytest.mark.parametrize("term", ["turn", "-turn"])
    async def test_members_whose_names_are_values_of_others_are_followed(self, term: str) -> None:
        await Crate.bulk_create([{"turn": turn} for turn in (*Turn, *Turn, None)])
        found = await self.collect(Crate.query().order_by(term), 1)
        assert [crate.turn for crate in found] == await Crate.order_by(term).pluck("turn")
        assert len({crate.id for crate in found}) == 5

    @pytest.mark.parametrize("term", ["medium_text", "-medium_text"])
    @pytest.mark.parametrize("start", ["x" * 1100, "é" * 600, ""])
    async def test_texts_that_differ_far_behind_lose_no_row(self, term: str, start: str) -> None:
        texts = [f"{start}{number % 7}" for number in range(20)]
        await Crate.bulk_create([{"medium_text": text, "tiny": number} for number, text in enumerate(texts)])
        await Crate.bulk_create([{"tiny": 20}])
        found = await self.collect(Crate.query().order_by(term), 2)
        assert sorted(crate.tiny or 0 for crate in found) == list(range(21))
        streamed = [crate.tiny async for crate in Crate.query().order_by(term).stream(3)]
        assert streamed == [crate.tiny for crate in found]
        if not start:
            assert [crate.medium_text for crate in found] == await Crate.order_by(term).pluck("medium_text")
