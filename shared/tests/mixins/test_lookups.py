import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from bongsu.mixins import Database, UnknownField, UnknownLookup, WrongValueForLookup
from shared.tests.mixins.library import Author, Book, Genre

PEOPLE: list[dict[str, Any]] = [
    {"email": "a", "name": "Kim", "age": 10, "country": "KR", "born_on": dt.date(2000, 2, 29)},
    {"email": "b", "name": "kim", "age": 20, "country": "KR", "is_active": False},
    {"email": "c", "name": "K_m%", "age": 30, "country": None, "born_on": dt.date(2001, 1, 1)},
    {"email": "d", "name": None, "age": 40, "country": "US"},
    {"email": "e", "name": "Éva [x] *?\\|/", "age": 50, "country": "HU", "born_on": dt.date(1999, 12, 31)},
]

CASES: list[tuple[dict[str, object], str]] = [
    ({}, "abcde"),
    ({"age": 10}, "a"),
    ({"age__eq": 10}, "a"),
    ({"age__ne": 10}, "bcde"),
    ({"age__gt": 30}, "de"),
    ({"age__ge": 30}, "cde"),
    ({"age__gte": 30}, "cde"),
    ({"age__lt": 20}, "a"),
    ({"age__le": 20}, "ab"),
    ({"age__lte": 20}, "ab"),
    ({"age__in": [10, 40]}, "ad"),
    ({"age__in": []}, ""),
    ({"age__in": {10, 20}}, "ab"),
    ({"age__notin": [10, 40]}, "bce"),
    ({"age__notin": []}, "abcde"),
    ({"age__between": (20, 40)}, "bcd"),
    ({"age__gt": 10, "age__lt": 40}, "bc"),
    ({"name": None}, "d"),
    ({"name__ne": None}, "abce"),
    ({"name__ne": "Kim"}, "bce"),
    ({"name__isnull": True}, "d"),
    ({"name__isnull": False}, "abce"),
    ({"country__in": ["US", None]}, "cd"),
    ({"country__in": [None]}, "c"),
    ({"country__notin": ["KR", None]}, "de"),
    ({"country__notin": ["KR"]}, "de"),
    ({"is_active": False}, "b"),
    ({"is_active__ne": False}, "acde"),
    ({"born_on__lt": dt.date(2000, 1, 1)}, "e"),
    ({"name__contains": "im"}, "ab"),
    ({"name__contains": "K"}, "ac"),
    ({"name__contains": "_"}, "c"),
    ({"name__contains": "%"}, "c"),
    ({"name__contains": "[x] *?\\|/"}, "e"),
    ({"name__contains": "*"}, "e"),
    ({"name__contains": ""}, "abce"),
    ({"name__icontains": "K"}, "abc"),
    ({"name__icontains": "éVA"}, "e"),
    ({"name__icontains": "eva"}, ""),
    ({"name__startswith": "K"}, "ac"),
    ({"name__startswith": "K_"}, "c"),
    ({"name__istartswith": "K"}, "abc"),
    ({"name__istartswith": "ÉVA ["}, "e"),
    ({"name__endswith": "m"}, "ab"),
    ({"name__endswith": "m%"}, "c"),
    ({"name__iendswith": "IM"}, "ab"),
    ({"name__iexact": "KIM"}, "ab"),
    ({"name__iexact": "K_M%"}, "c"),
    ({"name__like": "K%"}, "ac"),
    ({"name__like": "_im"}, "ab"),
    ({"name__like": r"K\_m\%"}, "c"),
    ({"name__like": "%[x]%"}, "e"),
    ({"name__ilike": "k%"}, "abc"),
    ({"name__regex": "^K.m"}, "ac"),
    ({"name__regex": "[ik]im?$"}, "b"),
    ({"shout": "KIM"}, "ab"),
    ({"shout__startswith": "K"}, "abc"),
]


@pytest.fixture
async def people(db: Database) -> Database:
    for person in PEOPLE:
        await Author.create(**person)
    return db


class TestLookups:
    async def test_each_lookup_finds_the_same_rows_on_every_database(self, people: Database) -> None:
        del people
        found = {}
        for number, (lookups, _) in enumerate(CASES):
            found[number] = "".join(await Author.filter_by(**lookups).order_by("email").pluck("email"))
        wrong = {str(CASES[number][0]): rows for number, rows in found.items() if rows != CASES[number][1]}
        assert wrong == {}

    async def test_exclude_is_the_complement_of_each_lookup(self, people: Database) -> None:
        del people
        for lookups, expected in CASES:
            if not lookups:  # nothing to exclude
                continue
            rest = "".join(await Author.exclude(**lookups).order_by("email").pluck("email"))
            assert rest == "".join(letter for letter in "abcde" if letter not in expected), lookups

    async def test_a_subquery_can_be_searched_in(self, people: Database) -> None:
        del people
        wanted = select(Author.id).where(Author.age > 30)
        assert await Author.filter_by(id__in=wanted).count() == 2
        assert await Author.filter_by(id__notin=wanted).count() == 3

    async def test_a_column_can_be_compared_with_a_column(self, people: Database) -> None:
        del people
        assert await Author.filter_by(updated_at__ge=Author.created_at).count() == 5

    async def test_enums_decimals_and_keys_as_text_are_found(self, people: Database) -> None:
        del people
        book = await Book.create(title="x", genre=Genre.CRIME, price=Decimal("9.90"))
        assert await Book.filter_by(genre="crime", price=Decimal("9.9"), id=str(book.id)).exists()
        assert await Book.filter_by(genre__in=[Genre.CRIME, Genre.POETRY], price__lt=10).exists()


class TestErrors:
    def test_an_unknown_field_names_the_nearest_and_all(self) -> None:
        with pytest.raises(UnknownField, match=r"Author has no field 'emial'; did you mean 'email'\? Fields: age, "):
            Author.filter_by(emial="x")

    def test_an_unknown_field_of_a_relation_names_the_related_model(self) -> None:
        with pytest.raises(UnknownField, match="Author has no field 'nam'; did you mean 'name'"):
            Book.filter_by(author__nam="x")

    def test_an_unknown_lookup_names_the_nearest(self) -> None:
        with pytest.raises(UnknownLookup, match=r"Author\.name has no lookup 'startwith'; did you mean 'startswith'"):
            Author.filter_by(name__startwith="x")

    def test_a_lookup_for_text_is_unknown_to_a_number(self) -> None:
        with pytest.raises(UnknownLookup, match=r"Author\.age has no lookup 'contains'"):
            Author.filter_by(age__contains="1")

    @pytest.mark.parametrize(
        ("lookups", "message"),
        [
            ({"age": "10"}, r"Author\.age__eq takes an int, not '10' \(str\)"),
            ({"age": True}, "takes an int"),
            ({"name": 0}, "takes a str"),
            ({"email": 0}, "takes a str"),
            ({"country": "한"}, "takes ASCII text"),
            ({"is_active": 1}, "takes True or False"),
            ({"id": "nonsense"}, "takes a UUID or its text"),
            ({"id": 7}, "takes a UUID or its text"),
            ({"seen_at__lt": dt.datetime(2026, 1, 1)}, "takes an aware datetime"),  # noqa: DTZ001  # under test
            ({"seen_at__lt": "2026-01-01"}, "takes an aware datetime"),
            ({"born_on": dt.datetime.now(dt.UTC)}, "takes a date"),
            ({"age__in": "12"}, "takes a list of values"),
            ({"age__in": 12}, "takes a list of values"),
            ({"age__in": [1, "2"]}, "takes an int"),
            ({"age__between": (1,)}, "takes two values"),
            ({"age__between": (1, None)}, "takes two values"),
            ({"age__gt": None}, "for missing values use isnull"),
            ({"name__isnull": "yes"}, "takes True or False"),
            ({"name__contains": None}, "takes a str"),
            ({"name__contains": 7}, "takes a str"),
        ],
    )
    def test_a_value_that_does_not_fit_is_refused(self, lookups: dict[str, object], message: str) -> None:
        with pytest.raises(WrongValueForLookup, match=message):
            Author.filter_by(**lookups)

    def test_an_enum_takes_its_members_only(self) -> None:
        with pytest.raises(WrongValueForLookup, match="takes one of poetry, crime, not 'novel'"):
            Book.filter_by(genre="novel")

    def test_a_condition_is_sql_and_not_a_truth_value(self) -> None:
        with pytest.raises(WrongValueForLookup, match="a condition is a lookup, a Q or an SQL expression"):
            Author.filter_by(True)  # type: ignore[arg-type]  # the mistake under test
