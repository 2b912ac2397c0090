import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Select, func

from bongsu.mixins import (
    Database,
    LockOutsideUnit,
    MultipleFound,
    NotFound,
    Query,
    UnknownField,
    WrongValueForLookup,
)
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import Author, Book, Level, Parcel, Tag


@pytest.fixture
async def shelf(db: Database) -> Database:
    async with db.unit():
        kim, lee = await Author.create(email="kim", name="Kim"), await Author.create(email="lee", name="Lee")
        tag = await Tag.create(label="red")
        await Book.create(title="b", price=Decimal("1.50"), author=lee, tags=[tag])
        await Book.create(title="a", price=Decimal("2.50"), author=kim, tags=[tag])
        await Book.create(title="c", author=kim)
        await Book.create(title="d")
    return db


async def titles(query: Query[Book]) -> str:
    return "".join(book.title for book in await query.all())


class TestChain:
    async def test_each_step_is_a_new_query(self, shelf: Database) -> None:
        del shelf
        every = Book.query()
        _ = every.filter_by(title="a"), every.order_by("title"), every.limit(1), every.exclude(title="a")
        assert await every.count() == 4

    def test_the_statement_is_a_plain_select(self) -> None:
        assert isinstance(Book.filter_by(title="a").statement, Select)

    async def test_filters_add_up(self, shelf: Database) -> None:
        del shelf
        assert await titles(Book.filter_by(title__ge="b").filter_by(title__le="c").order_by("title")) == "bc"

    async def test_limit_and_offset_cut(self, shelf: Database) -> None:
        del shelf
        assert await titles(Book.order_by("title").limit(2).offset(1)) == "bc"
        assert await Book.order_by("title").limit(2).count() == 2
        assert await Book.query().limit(0).all() == []

    @pytest.mark.parametrize("count", [-1, True, "3"])
    def test_a_limit_is_a_whole_number(self, count: int) -> None:
        with pytest.raises(WrongValueForLookup):
            Book.query().limit(count)


class TestOrderBy:
    async def test_a_field_of_a_relation_orders(self, shelf: Database) -> None:
        del shelf
        assert await titles(Book.filter_by(author__isnull=False).order_by("-author.name", "title")) == "bac"

    async def test_rows_without_the_relation_are_kept(self, shelf: Database) -> None:
        del shelf
        assert await titles(Book.order_by("author.name", "title")) == "dacb"

    async def test_expressions_and_attributes_order(self, shelf: Database) -> None:
        del shelf
        assert await titles(Book.order_by(Book.title.desc())) == "dcba"
        assert await titles(Book.order_by(Book.title)) == "abcd"

    def test_a_to_many_relation_cannot_order(self) -> None:
        with pytest.raises(UnknownField, match="books"):
            Author.order_by("books.title")

    def test_an_order_that_is_neither_name_nor_sql_is_refused(self) -> None:
        with pytest.raises(WrongValueForLookup, match="order_by takes"):
            Author.order_by(3)  # type: ignore[arg-type]  # the mistake under test


class TestLoad:
    async def test_two_paths_cost_two_more_statements(self, shelf: Database, statements: Statements) -> None:
        del shelf
        statements.take()
        authors = await Author.order_by("email").load("books.tags").all()
        assert len(statements.take()) == 3
        assert [[tag.label for tag in book.tags] for book in authors[0].books] == [["red"], []]

    async def test_a_joined_path_costs_none(self, shelf: Database, statements: Statements) -> None:
        del shelf
        statements.take()
        books = await Book.order_by("title").load("author", joined=True).all()
        assert len(statements.take()) == 1
        assert books[0].author is not None
        assert books[0].author.name == "Kim"

    async def test_a_joined_collection_repeats_no_row(self, shelf: Database, statements: Statements) -> None:
        del shelf
        statements.take()
        authors = await Author.order_by("email").load("books", joined=True).all()
        assert [[book.title for book in author.books] for author in authors] == [["a", "c"], ["b"]]
        first = await Author.order_by("email").load("books", joined=True).first()
        assert first is not None
        assert len(first.books) == 2
        assert len(statements.take()) == 2

    def test_a_path_that_is_no_relation_is_refused(self) -> None:
        with pytest.raises(UnknownField, match="did you mean 'books'"):
            Author.query().load("book")
        with pytest.raises(UnknownField, match="Book has no field 'title'"):
            Author.query().load("books.title")


class TestEnds:
    async def test_first_returns_nothing_when_no_row_matches(self, shelf: Database) -> None:
        del shelf
        found = await Book.order_by("-title").first()
        assert found is not None
        assert found.title == "d"
        assert await Book.filter_by(title="x").first() is None

    async def test_method_one_requires_exactly_one_row(self, shelf: Database) -> None:
        del shelf
        assert (await Book.filter_by(title="a").one()).title == "a"
        with pytest.raises(NotFound, match="no Book matches"):
            await Book.filter_by(title="x").one()
        with pytest.raises(MultipleFound, match="several Book"):
            await Book.query().one()

    async def test_method_one_or_none_refuses_several_rows(self, shelf: Database) -> None:
        del shelf
        assert await Book.filter_by(title="x").one_or_none() is None
        with pytest.raises(MultipleFound):
            await Book.query().one_or_none()

    async def test_exists_is_true_only_when_a_row_matches(self, shelf: Database) -> None:
        del shelf
        assert await Book.filter_by(title="a").exists()
        assert not await Book.filter_by(title="x").exists()


class TestValues:
    async def test_values_are_dictionaries_with_the_names_as_written(self, shelf: Database) -> None:
        del shelf
        rows = await Book.order_by("title").values("title", "author.name")
        assert rows[0] == {"title": "a", "author.name": "Kim"}
        assert rows[3] == {"title": "d", "author.name": None}

    async def test_values_list_gives_tuples_and_pluck_values(self, shelf: Database) -> None:
        del shelf
        assert await Book.filter_by(title="a").values_list("title", "price") == [("a", Decimal("2.50"))]
        assert await Book.order_by("title").pluck("title") == list("abcd")

    async def test_distinct_values_come_once(self, shelf: Database) -> None:
        del shelf
        assert sorted(await Book.filter_by(author__isnull=False).distinct().pluck("author.name")) == ["Kim", "Lee"]

    async def test_an_unknown_name_is_refused(self) -> None:
        with pytest.raises(UnknownField, match="did you mean 'title'"):
            await Book.query().values("titel")
        with pytest.raises(WrongValueForLookup):
            await Book.query().values()


class TestAggregate:
    async def test_measures_are_over_all_rows(self, shelf: Database) -> None:
        del shelf
        measured = await Book.query().aggregate(
            n=("count", "id"), total=("sum", "price"), least=("min", "title"), most=func.max(Book.title)
        )
        assert measured == {"n": 4, "total": Decimal("4.00"), "least": "a", "most": "d"}

    async def test_groups_have_a_row_each(self, shelf: Database) -> None:
        del shelf
        by_author = await Book.filter_by(price__isnull=False).aggregate_by("author_id", n=("count", "id"))
        assert [row["n"] for row in by_author] == [1, 1]

    async def test_count_by_counts_each_value(self, shelf: Database) -> None:
        del shelf
        assert await Book.filter_by(title__in=["a", "b"]).count_by("title") == {"a": 1, "b": 1}

    async def test_an_unknown_function_is_refused(self) -> None:
        with pytest.raises(WrongValueForLookup, match="median"):
            await Book.query().aggregate(x=("median", "price"))


class TestLock:
    async def test_a_lock_outside_a_unit_is_refused(self, shelf: Database) -> None:
        del shelf
        with pytest.raises(LockOutsideUnit, match="unit"):
            await Book.query().lock().all()

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_locked_rows_are_skipped(self, shelf: Database) -> None:
        async with shelf.unit():
            # In an order without an index MySQL would read, and lock, every row before it cuts.
            mine = await Book.order_by("id").limit(2).lock(skip_locked=True).all()

            async def others() -> list[str]:
                async with shelf.unit():
                    return [book.title for book in await Book.order_by("id").lock(skip_locked=True).all()]

            assert await asyncio.create_task(others()) == ["c", "d"]
        assert [book.title for book in mine] == ["b", "a"]

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_rows_whose_fields_alone_are_read_are_locked_too(self, shelf: Database) -> None:
        async with shelf.unit():
            assert await Book.order_by("id").limit(2).lock().pluck("title") == ["b", "a"]

            async def others() -> list[str]:
                async with shelf.unit():
                    return await Book.order_by("id").lock(skip_locked=True).pluck("title")

            assert await asyncio.create_task(others()) == ["c", "d"]

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    @pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
    async def test_loaded_object_shows_commits_of_others_made_before_its_row_was_locked(
        self, shelf: Database, isolation: str
    ) -> None:
        async with shelf.unit(isolation=isolation):
            before = await Book.get(title="a")
            await asyncio.create_task(_write_elsewhere(shelf, price=Decimal("9.00")))
            locked = await Book.filter_by(title="a").lock().one()
            assert locked is before
            assert locked.price == Decimal("9.00")
            await locked.update(price=locked.price + 1)
        assert (await Book.get(title="a")).price == Decimal("10.00")

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_a_relation_is_let_go_when_the_row_now_refers_to_another(self, shelf: Database) -> None:
        async with shelf.unit():
            book = await Book.filter_by(title="a").load("author", "tags").one()
            assert book.author is not None
            lee = await Author.get(email="lee")
            await asyncio.create_task(_write_elsewhere(shelf, author_id=lee.id))
            await Book.filter_by(title="a").lock().one()
            assert "author" not in book.__dict__
            assert [tag.label for tag in book.tags] == ["red"]
            assert await Book.filter_by(title="a").lock().load("author").one() is book
            assert book.author is lee

    async def test_relations_that_were_loaded_stay_loaded(self, shelf: Database) -> None:
        async with shelf.unit():
            book = await Book.filter_by(title="a").load("author", "tags").one()
            other = await Book.filter_by(title="c").load("author").one()
            await Book.filter_by(title="a").lock().one()
            assert book.author is not None
            assert book.author is other.author
            assert [tag.label for tag in book.tags] == ["red"]

    async def test_relations_of_related_objects_stay_loaded(self, shelf: Database) -> None:
        async with shelf.unit():
            kim = await Author.filter_by(email="kim").load("books").one()
            book = await Book.filter_by(title="a").lock().load("author").one()
            assert book.author is kim
            assert [loaded.title for loaded in kim.books] == ["a", "c"]

    @pytest.mark.parametrize("autoflush", [True, False])
    async def test_pending_changes_of_the_unit_are_kept(self, shelf: Database, autoflush: bool) -> None:
        async with shelf.unit() as unit:
            unit.session.sync_session.autoflush = autoflush
            book = await Book.filter_by(title="a").load("author").one()
            book.fill(text="new", author=None)
            locked = await Book.filter_by(title="a").lock().one()
            assert (locked.text, locked.author) == ("new", None)
        loaded = await Book.get(title="a")
        assert (loaded.text, loaded.author_id) == ("new", None)


async def _write_elsewhere(db: Database, **values: object) -> None:
    async with db.unit():
        await Book.filter_by(title="a").update(**values)


class TestUsing:
    async def test_a_given_session_is_used(self, shelf: Database) -> None:
        async with shelf.session() as session:
            book = await Book.filter_by(title="a").using(session).one()
            assert book in session


class TestHostileCalls:
    async def test_distinct_rows_are_in_any_order(self, shelf: Database) -> None:
        del shelf
        rows = Book.query().distinct()
        assert await rows.count() == await Book.row_count() == len(await rows.order_by("author.name").all())
        assert await rows.order_by("facts.size").count() == await Book.row_count()
        with pytest.raises(WrongValueForLookup, match="distinct values"):
            await rows.order_by("title").values("genre")
        with pytest.raises(WrongValueForLookup, match="distinct values"):
            await rows.order_by("facts.size").values("facts.size")

    async def test_booleans_sum_to_the_true_ones(self, db: Database) -> None:
        del db
        await Author.bulk_create([{"email": str(number), "is_active": number < 3} for number in range(4)])
        assert await Author.query().aggregate(n=("sum", "is_active"), m=("avg", "is_active")) == {"n": 3, "m": 0.75}

    async def test_call_that_makes_no_sense_is_refused(self) -> None:
        authors: Any = Author.query()
        books: Any = Book.query()
        calls: list[tuple[Callable[[], Awaitable[object]], str]] = [
            (lambda: authors.aggregate(n=("sum", "email")), "is no number"),
            (lambda: authors.aggregate(n=("avg", "born_on")), "is no number"),
            (lambda: authors.aggregate(n="max"), "aggregate takes SQL or"),
            (lambda: authors.aggregate(n=("max",)), "aggregate takes SQL or"),
            (lambda: books.count_by("facts"), "takes no JSON document"),
            (lambda: books.values(5), "named by text"),
            (lambda: books.page("1", 5), "takes an int of 1 or more"),
            (lambda: books.after(None, "5"), "takes an int of 1 or more"),
        ]
        for call, message in calls:
            with pytest.raises(WrongValueForLookup, match=message):
                await call()

    @pytest.mark.parametrize(
        ("lookups", "message"),
        [
            ({"facts": [object()]}, "takes a JSON document"),
            ({"facts": {"a": float("nan")}}, "takes a JSON document"),
            ({"author__born_on__date": "x"}, "takes a date"),
            ({"author__seen_at__date": (dt.date(1, 1, 1), dt.timezone(dt.timedelta(hours=9)))}, "years 1 to 9999"),
        ],
    )
    def test_value_that_no_database_takes_is_refused(self, lookups: dict[str, object], message: str) -> None:
        with pytest.raises(WrongValueForLookup, match=message):
            Book.filter_by(**lookups)


@pytest.mark.usefixtures("db")
class TestMeasuresOfEveryKind:
    async def test_numbers_of_every_type_are_summed(self) -> None:
        await Parcel.bulk_create(
            [
                {"ratio": 0.25, "single": 1.5, "level": Level.LOW, "price": Decimal("0.10"), "label": "a"},
                {"ratio": 0.5, "single": 2.5, "level": Level.HIGH, "price": Decimal("0.20"), "label": "a"},
            ]
        )
        assert await Parcel.query().aggregate(
            total=("sum", "ratio"), mean=("avg", "single"), levels=("sum", "level"), level=("avg", "level")
        ) == {"total": 0.75, "mean": 2.0, "levels": 12, "level": 6.0}
        assert await Parcel.query().aggregate_by("label", total=("sum", "price"), top=("max", "level")) == [
            {"label": "a", "total": Decimal("0.30"), "top": Level.HIGH}
        ]

    async def test_measure_that_would_hide_a_field_is_refused(self) -> None:
        with pytest.raises(WrongValueForLookup, match="another name than a field: label"):
            await Parcel.query().aggregate_by("label", label=("count", "id"))
