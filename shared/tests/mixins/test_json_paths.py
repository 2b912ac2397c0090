"""Parts of JSON documents in filters, orders and values: alike on every database, for `Json` and for `JSON`."""

from typing import Any

import pytest

from bongsu.mixins import Database, Query, UnknownField, UnknownLookup, WrongValueForLookup
from shared.tests.mixins.library import Author, Book, LibraryModel, Memo

DOCUMENTS: dict[str, Any] = {
    "a": {"size": 5, "owner": {"name": "Kim", "id": 9007199254740993}, "tags": ["x", "y"], "open": True},
    "b": {"size": "5", "owner": {"name": "kim ", "id": 9007199254740992}, "tags": [], "open": False},
    "c": {"size": 5.0, "owner": {"name": "Éva_%"}, "tags": [["z", 1]], "open": 1},
    "d": {"size": None, "owner": "Kim", "tags": "x", "open": None},
    "e": {"size": 1e300, "크기": "크다 😀", "eq": 1, "contains": "needle", "a.b": 1, "": 0},
    "f": {"size": True, "2026": {"total": 3}, "0": "zero", "owner": [{"name": "Kim"}]},
    "g": {"size": -0.5, "it's": {"\\": {"%": {"\n": "odd"}}}},
    "h": None,
}

CASES: list[tuple[dict[str, object], str]] = [
    ({"size": 5}, "ac"),
    ({"size": 5.0}, "ac"),
    ({"size": "5"}, "b"),
    ({"size": True}, "f"),
    ({"size": 1}, ""),
    ({"size": None}, "d"),
    ({"size__eq": None}, "d"),
    ({"size__ne": None}, "abcefg"),
    ({"size__ne": 5}, "befg"),
    ({"size__isnull": True}, "h"),
    ({"size__isnull": False}, "abcdefg"),
    ({"missing": None}, ""),
    ({"missing__isnull": True}, "abcdefgh"),
    ({"size__gt": 0}, "ace"),
    ({"size__ge": 5}, "ace"),
    ({"size__lt": 5}, "g"),
    ({"size__lte": 5}, "acg"),
    ({"size__gt": ""}, "b"),
    ({"size__gt": 2**60}, "e"),
    ({"size__gt": 2**70}, "e"),
    ({"size__lt": 2**60}, "acg"),
    ({"size": 1e300}, "e"),
    ({"size__between": (-1, 5)}, "acg"),
    ({"size__between": ("0", "9")}, "b"),
    ({"size__in": [5, "5", None]}, "abcd"),
    ({"size__in": [True]}, "f"),
    ({"size__in": []}, ""),
    ({"size__notin": [5, "5"]}, "efg"),
    ({"size__notin": []}, "abcdefgh"),
    ({"owner__name": "Kim"}, "a"),
    ({"owner__name": "kim"}, ""),
    ({"owner__name": "kim "}, "b"),
    ({"owner__name__iexact": "KIM"}, "a"),
    ({"owner__name__contains": "im"}, "ab"),
    ({"owner__name__contains": "_%"}, "c"),
    ({"owner__name__icontains": "éVA"}, "c"),
    ({"owner__name__startswith": "K"}, "a"),
    ({"owner__name__istartswith": "k"}, "ab"),
    ({"owner__name__endswith": " "}, "b"),
    ({"owner__name__like": "K%"}, "a"),
    ({"owner__name__regex": "^K.m$"}, "a"),
    ({"owner": "Kim"}, "d"),
    ({"owner__isnull": False}, "abcdf"),
    ({"owner__id": 9007199254740993}, "a"),
    ({"owner__id__gt": 9007199254740992}, "a"),
    ({"owner__id__le": 9007199254740992}, "b"),
    ({"owner__id__in": [9007199254740992]}, "b"),
    ({"tags__0": "x"}, "a"),
    ({"tags__1": "y"}, "a"),
    ({"tags__2__isnull": True}, "abcdefgh"),
    ({"tags__0__0": "z"}, "c"),
    ({"tags__0__1": 1}, "c"),
    ({"owner__0__name": "Kim"}, "f"),
    ({"0": "zero"}, "f"),
    ({"2026__total": 3}, "f"),
    ({"open": True}, "a"),
    ({"open": 1}, "c"),
    ({"open__ne": True}, "bc"),
    ({"크기": "크다 😀"}, "e"),
    ({"크기__contains": "😀"}, "e"),
    ({"contains__eq": "needle"}, "e"),
    ({"eq__eq": 1}, "e"),
    ({"a.b": 1}, "e"),
    ({"__eq": 0}, "e"),
    ({"it's__\\__%__\n": "odd"}, "g"),
    ({"size": 5, "open": True}, "a"),
]


@pytest.fixture
async def documents(db: Database) -> None:
    async with db.unit():
        for title, document in DOCUMENTS.items():
            await Book.create(title=title, facts=document)
            await Memo.create(title=title, document=document)


FIELDS: list[tuple[type[LibraryModel], str]] = [(Book, "facts"), (Memo, "document")]


async def titles(query: Query[Any]) -> str:
    return "".join(await query.order_by("title").pluck("title"))


@pytest.mark.usefixtures("documents")
class TestLookups:
    async def test_each_lookup_finds_the_same_rows_on_every_database(self) -> None:
        for model, field in FIELDS:
            for lookups, expected in CASES:
                named = {f"{field}__{key}": value for key, value in lookups.items()}
                assert (named, await titles(model.filter_by(**named))) == (named, expected)

    async def test_exclude_is_the_complement_of_each_lookup(self) -> None:
        for lookups, expected in CASES:
            named = {f"facts__{key}": value for key, value in lookups.items()}
            rest = "".join(title for title in DOCUMENTS if title not in expected)
            assert (named, await titles(Book.exclude(**named))) == (named, rest)

    async def test_path_goes_over_relations(self) -> None:
        author = await Author.create(email="kim@example.com")
        await Book.filter_by(title="a").update(author_id=author.id)
        found = Author.filter_by(books__facts__owner__name="Kim", books__facts__size__ge=5)
        assert await found.pluck("id") == [author.id]
        assert not await Author.filter_by(books__facts__owner__name="Éva_%").exists()
        assert await titles(Book.filter_by(title__contains="a", facts__open=True)) == "a"

    async def test_rows_can_be_written_by_a_path(self) -> None:
        assert await Book.filter_by(facts__owner__id__gt=2**53, facts__size__lt=2**60).update(text="seen") == 1
        assert await Book.filter_by(facts__size__gt=2**60).delete() == 1

    async def test_document_equals_a_whole_document(self) -> None:
        for model, field in FIELDS:
            assert await titles(model.filter_by(**{field: DOCUMENTS["a"]})) == "a"
            assert await titles(model.filter_by(**{f"{field}__ne": DOCUMENTS["a"]}, title__lt="c")) == "b"


@pytest.mark.usefixtures("documents")
class TestOrderAndValues:
    @pytest.mark.parametrize(("model", "field"), FIELDS)
    async def test_parts_sort_by_type_and_value(self, model: type[LibraryModel], field: str) -> None:
        sorted_titles = await model.order_by(f"{field}__size", "title").pluck("title")
        assert "".join(sorted_titles) == "hdfgaceb"
        assert "".join(await model.order_by(f"-{field}.size", "title").pluck("title")) == "beacgfdh"
        assert "".join(await model.order_by(f"-{field}.owner.id", "title").limit(2).pluck("title")) == "ab"

    @pytest.mark.parametrize(("model", "field"), FIELDS)
    async def test_values_are_those_of_the_document(self, model: type[LibraryModel], field: str) -> None:
        sizes = await model.order_by("title").values("title", f"{field}.size")
        wanted = [{"title": title, f"{field}.size": (DOCUMENTS[title] or {}).get("size")} for title in DOCUMENTS]
        assert sizes == wanted
        assert [type(row[f"{field}.size"]) for row in sizes if row["title"] in "abf"] == [int, str, bool]
        first = model.filter_by(title="a")
        assert await first.pluck(f"{field}__owner") == [DOCUMENTS["a"]["owner"]]
        assert await first.values_list(f"{field}__tags__1", f"{field}__크기") == [("y", None)]

    async def test_values_of_a_relation_hold_parts(self) -> None:
        assert await Book.filter_by(title="a").pluck("author.name") == [None]
        author = await Author.create(email="kim@example.com")
        await Book.filter_by(title="a").update(author_id=author.id)
        assert await Book.filter_by(author=author).values("author.email", "facts.open") == [
            {"author.email": "kim@example.com", "facts.open": True}
        ]

    async def test_pages_follow_parts(self) -> None:
        page = await Book.order_by("facts.size").page(2, 3)
        assert ("".join(book.title for book in page.items), page.total) == ("gac", 8)


class TestErrors:
    def test_path_into_another_column_is_refused(self) -> None:
        with pytest.raises(UnknownLookup, match=r"Author\.age is no relation and no JSON document"):
            Author.filter_by(age__size__name=1)
        with pytest.raises(UnknownField, match=r"Author has no field 'age\.size'\. Fields: age,"):
            Author.order_by("age.size")
        with pytest.raises(UnknownLookup, match=r"Author\.age has no lookup 'size'"):
            Author.filter_by(age__size=1)

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("size", {"a": 1}, "takes text, a number, True, False or None"),
            ("size", [1], "takes text, a number, True, False or None"),
            ("size", float("nan"), "takes text, a number, True, False or None"),
            ("size", b"5", "takes text, a number, True, False or None"),
            ("size__gt", None, "takes text or a number"),
            ("size__lt", True, "takes text or a number"),
            ("size__in", "5", "takes a list of values"),
            ("size__between", (1,), "takes two values"),
            ("size__isnull", 1, "takes True or False"),
            ("size__contains", 5, "takes a str"),
            ("size", "\ud800", "without lone surrogates"),
            ("\ud800", 1, "without lone surrogates"),
            ('a"b', 1, "a key in a path"),
            ("a\0", 1, "a key in a path"),
            ("0__0__0__0", 1, "at most 3 indexes"),
            ("12345678901", 1, "at most 9 digits"),
        ],
    )
    def test_value_or_path_that_does_not_fit_is_refused(self, key: str, value: object, message: str) -> None:
        with pytest.raises(WrongValueForLookup, match=message):
            Book.filter_by(**{f"facts__{key}": value})

    async def test_aggregates_and_cursors_of_parts_are_refused(self) -> None:
        with pytest.raises(WrongValueForLookup, match="whole columns"):
            await Book.query().count_by("facts.size")
        with pytest.raises(WrongValueForLookup, match="own columns only"):
            await Book.order_by("facts.size").after(None, 5)
