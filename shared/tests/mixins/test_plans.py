"""Queries of one shape share their SQL, and never their values."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from bongsu.mixins import Database, Query, paths
from shared.tests.mixins.library import Author, Book, Genre, LibraryModel, Note

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class Fuzzy(TypeDecorator[str]):
    """Text whose comparisons look at the value: "*" is any."""

    impl = String
    cache_ok = True

    class Comparator(TypeDecorator.Comparator[str]):
        def __eq__(self, other: object) -> Any:  # noqa: ANN401  # any SQL
            return self.expr.is_not(None) if other == "*" else super().__eq__(other)

        __hash__ = None  # type: ignore[assignment]  # compared, never a key

    comparator_factory = Comparator


class Pattern(LibraryModel):
    word: Mapped[str] = mapped_column(Fuzzy(20))


class Parent(LibraryModel):
    """Has relations whose loading repeats the query, or adds parameters of its own to it."""

    name: Mapped[str] = mapped_column(String(20))
    town: Mapped[str] = mapped_column(String(20), default="t")
    children: Mapped[list["Child"]] = relationship(lazy="subquery", viewonly=True)
    first: Mapped["Child | None"] = relationship(
        primaryjoin="and_(Child.parent_id == Parent.id, Child.value == 1)", lazy="joined", viewonly=True, uselist=False
    )


class Child(LibraryModel):
    parent_id: Mapped[UUID] = mapped_column(ForeignKey(Parent.id))
    value: Mapped[int]


class TestSharing:
    def test_queries_that_differ_in_values_share_a_statement(self) -> None:
        first = Author.filter_by(email="a@example.com", age__ge=3).order_by("-seen_at").limit(1)
        second = Author.filter_by(email="b@example.com", age__ge=9).order_by("-seen_at").limit(7)
        assert first.with_parameters()[0] is second.with_parameters()[0]
        assert list((first.with_parameters()[1] or {}).values()) == ["a@example.com", 3, 1]
        assert list((second.with_parameters()[1] or {}).values()) == ["b@example.com", 9, 7]

    @pytest.mark.parametrize(
        "other",
        [
            Author.filter_by(name="a"),
            Author.filter_by(email__ne="a"),
            Author.filter_by(email="a", name="a"),
            Author.filter_by(email="a").limit(1),
            Author.filter_by(email="a").order_by("email"),
            Author.filter_by(email="a").order_by("-email"),
            Author.filter_by(email=None),
            Author.filter_by(email="a", is_active=True),
            Author.filter_by(email="a", is_active=False),
        ],
    )
    def test_queries_of_another_shape_share_none(self, other: Query[Author]) -> None:
        assert other.with_parameters()[0] is not Author.filter_by(email="a").with_parameters()[0]

    def test_deleted_rows_are_part_of_the_shape(self) -> None:
        every = [
            Note.filter_by(text="a"),
            Note.filter_by(text="a").with_deleted(),
            Note.filter_by(text="a").only_deleted(),
        ]
        assert len({id(query.with_parameters()[0]) for query in every}) == 3

    def test_order_by_an_attribute_is_part_of_the_shape_as_its_name_is(self) -> None:
        queries = [Author.filter_by(email="a").order_by(term) for term in (Author.email, Author.email, "email")]
        assert len({id(query.with_parameters()[0]) for query in queries}) == 1

    async def test_the_order_of_pages_adds_no_shape_a_page(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        del db
        monkeypatch.setattr(paths, "_plans", dict[Any, Any]())
        for _ in range(3):
            await Author.filter_by(email="a").after(None, 2)
        assert len(paths._plans) == 1

    def test_another_thread_may_forget_the_shapes_at_any_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Forgetful(dict[Any, Any]):
            def __contains__(self, key: object) -> bool:
                is_known = super().__contains__(key)
                self.clear()
                return is_known

        query = Author.filter_by(email="a")
        query.with_parameters()
        monkeypatch.setattr(paths, "_plans", Forgetful(paths._plans))
        assert query.with_parameters()[1] == {"value0": "a"}

    def test_operators_that_look_at_the_value_are_not_shared(self) -> None:
        assert Pattern.filter_by(word="a").with_parameters()[1] is None


class TestAnswers:
    async def test_each_query_gets_the_rows_of_its_own_values(self, db: Database) -> None:
        del db
        for age in range(5):
            await Author.create(email=f"{age}@example.com", age=age, name=None if age % 2 else "even")
        for _ in range(2):  # the statement is new, then shared
            for age in range(6):
                found = await Author.filter_by(age__lt=age).order_by("age").all()
                assert [author.age for author in found] == list(range(min(age, 5)))
                one = await Author.filter_by(email=f"{age}@example.com").one_or_none()
                assert (one and one.age) == (age if age < 5 else None)
            assert len(await Author.filter_by(name=None).all()) == 2
            assert len(await Author.filter_by(name="even").all()) == 3
            assert len(await Author.filter_by(name__isnull=False).limit(2).all()) == 2

    @pytest.mark.parametrize(
        ("name", "value", "others"),
        [
            ("genre", Genre.CRIME, [Genre.POETRY, "crime", None]),
            ("price", Decimal("1.50"), [Decimal("2.50"), 2, 1.5, None]),
            ("cover", b"\x00\xff", [b"", None]),
            ("title", "봉수 🔥", ["봉수", ""]),
        ],
    )
    async def test_values_of_every_type_find_what_sql_finds(
        self, db: Database, name: str, value: object, others: list[object]
    ) -> None:
        del db
        book = Book(title="t")
        book.fill(**{name: value})
        await book.save()
        for given in (value, *others, value):
            is_same = given == value
            assert len(await Book.filter_by(**{name: given}).all()) == is_same
            assert await Book.filter_by(**{name: given}).count() == is_same

    async def test_instants_and_keys_are_compared_as_stored(self, db: Database) -> None:
        del db
        author = await Author.create(email="a@example.com", seen_at=NOON)
        seoul = NOON.astimezone(dt.timezone(dt.timedelta(hours=9)))
        assert await Author.filter_by(seen_at=seoul, id=author.id).first() is not None
        assert await Author.filter_by(seen_at=seoul, id=str(author.id)).first() is not None
        assert await Author.filter_by(seen_at=seoul, id=uuid4()).first() is None

    async def test_a_number_too_large_for_the_column_finds_nothing(self, db: Database) -> None:
        del db
        await Author.create(email="a@example.com", age=3)
        assert [len(await Author.filter_by(age__lt=age).all()) for age in (4, 2**70, 3, -(2**70))] == [1, 1, 0, 0]

    async def test_a_shared_query_can_be_narrowed_counted_and_written(self, db: Database) -> None:
        del db
        await Author.create(email="a@example.com", age=3)
        query = Author.filter_by(age=3)
        assert len(await query.all()) == 1
        assert await query.exclude(name="x").count() == 1
        assert await query.exists()
        assert await query.update(age=4) == 1
        assert await query.all() == []
        assert await Author.filter_by(age=4, name=None).delete() == 1

    async def test_related_rows_are_those_of_the_querys_own_values(self, db: Database) -> None:
        """SQLAlchemy names the parameters of a column `value` itself `value_1`, `value_2` and so on."""
        del db
        for name in ("a", "b"):
            parent = await Parent.create(name=name)
            await Child.bulk_create([{"parent_id": parent.id, "value": value} for value in (1, 2)])
        for name in ("a", "b", "a"):
            [found] = await Parent.filter_by(name=name, town="t").limit(1).all()
            assert sorted(child.value for child in found.children) == [1, 2]
            assert {child.parent_id for child in found.children} == {found.id}
            assert found.first is not None
            assert (found.first.parent_id, found.first.value) == (found.id, 1)

    async def test_operators_that_look_at_the_value_are_asked_each_time(self, db: Database) -> None:
        del db
        await Pattern.create(word="fire")
        assert [len(await Pattern.filter_by(word=word).all()) for word in ("smoke", "*", "fire", "smoke")] == [
            0,
            1,
            1,
            0,
        ]
