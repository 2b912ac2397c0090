"""Values that a column cannot store are refused before anything is sent, by every way to write."""

import datetime as dt
import math
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import AsyncSession

from bongsu.mixins import Conflict, Database, WrongValue, WrongValueForLookup, uuid7
from bongsu.mixins.storage import storage
from bongsu.mixins.values import Refused, coercion
from shared.tests.mixins.library import Author, Book, Genre, Level, Measured, Memo, Parcel, Visit

WRONG: list[tuple[str, object, str]] = [
    ("label", "x" * 21, r"Parcel\.label takes at most 20 characters, not 21"),
    ("label", 5, r"Parcel\.label takes a str, not int"),
    ("label", "\ud800", "without lone surrogates"),
    ("code", "é", "ASCII"),
    ("code", "x" * 9, "at most 8 characters"),
    ("weight_g", "abc", r"Parcel\.weight_g takes an int, not str"),
    ("weight_g", 2**31, "an int from -2147483648 to 2147483647"),
    ("weight_g", 2**70, "an int from"),
    ("weight_g", True, "an int"),
    ("size", 40_000, "an int from -32768 to 32767"),
    ("price", Decimal(10**9), "at most 8 digits before the point"),
    ("price", "12", "a number"),
    ("ratio", float("nan"), "a finite number"),
    ("ratio", float("inf"), "a finite number"),
    ("genre", "opera", r"one of poetry, crime"),
    ("level", 9, r"one of 2, 10"),
    ("sent_on", dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "a date"),
    ("sent_at", dt.datetime(2026, 1, 1), "an aware datetime"),  # noqa: DTZ001  # under test
    ("is_open", 1, "True or False"),
    ("seal", "text", "bytes"),
    ("owner_id", "no uuid", "a UUID or its text"),
    ("price", Decimal("1.005"), "at most 2 digits after the point"),
    ("price", 0.1 + 0.2, "at most 2 digits after the point"),
    ("whole", 1.5, "at most 0 digits after the point"),
    ("single", 1e39, "a number up to 3.4"),
    ("notes", "x" * 65_536, "at most 65535 bytes, not 65536"),
    ("notes", "é" * 32_768, "at most 65535 bytes, not 65536"),
    ("seal", b"x" * 65_536, "at most 65535 bytes"),
    ("stamp", b"x" * 17, "at most 16 bytes"),
    ("facts", {"a": math.nan}, "without NaN"),
    ("facts", {"a": "\ud800"}, "without NaN, infinity, circles and lone surrogates"),
    ("facts", {"a": object()}, "a JSON document"),
    ("papers", [math.inf], "without NaN, infinity"),
    ("papers", "\ud800", "lone surrogates"),
    ("noted_at", dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=9))), "without a time zone, or of UTC"),
    ("opens_at", "10:00", "a time without a time zone"),
    ("opens_at", dt.time(10, tzinfo=dt.UTC), "a time without a time zone"),
    ("lasts", 5, "a timedelta of whole seconds"),
    ("lasts", dt.timedelta(microseconds=1), "a timedelta of whole seconds"),
    ("lasts", dt.timedelta(days=3_000_000), "a timedelta of at most 900 years back and 8,000 years forward"),
]


def given(name: str, value: object) -> dict[str, Any]:
    return {name: value}


async def create(name: str, value: object) -> object:
    return await Parcel.create(**given(name, value))


async def save(name: str, value: object) -> object:
    parcel = Parcel()
    setattr(parcel, name, value)
    return await parcel.save()


async def update(name: str, value: object) -> object:
    parcel = await Parcel.get(label="held")
    return await parcel.update(**given(name, value))


async def assign(name: str, value: object) -> object:
    parcel = await Parcel.get(label="held")
    setattr(parcel, name, value)
    try:
        return await parcel.save()
    finally:  # the object keeps what was assigned
        setattr(parcel, name, "held" if name == "label" else None)


async def update_query(name: str, value: object) -> object:
    return await Parcel.filter_by(label="held").update(**{name: value})


async def bulk_create(name: str, value: object) -> object:
    return await Parcel.bulk_create([{}, {name: value}])


async def bulk_create_objects(name: str, value: object) -> object:
    parcel = Parcel()
    setattr(parcel, name, value)
    return await Parcel.bulk_create([parcel])


async def bulk_update(name: str, value: object) -> object:
    return await Parcel.bulk_update([{"id": (await Parcel.get(label="held")).id, name: value}])


async def upsert(name: str, value: object) -> None:
    await Parcel.upsert({"id": (await Parcel.get(label="held")).id, name: value})


async def get_or_create(name: str, value: object) -> object:
    return await Parcel.get_or_create({name: value}, size=7)


async def create_or_update(name: str, value: object) -> object:
    return await Parcel.create_or_update(by="id", id=uuid7(), **given(name, value))


WAYS = [
    create,
    save,
    update,
    assign,
    update_query,
    bulk_create,
    bulk_create_objects,
    bulk_update,
    upsert,
    get_or_create,
    create_or_update,
]


class TestWrites:
    @pytest.mark.parametrize("write", WAYS, ids=lambda way: way.__name__)
    async def test_a_value_that_does_not_fit_is_refused(
        self, db: Database, write: Callable[[str, object], Awaitable[object]]
    ) -> None:
        held = await Parcel.create(label="held")
        async with db.unit():
            for name, value, message in WRONG:
                with pytest.raises(WrongValue, match=message):
                    await write(name, value)
            await Parcel.create(label="the unit goes on")
        assert await Parcel.row_count() == 2
        found = await Parcel.get(held.id)
        assert {key: value for key, value in found.to_dict().items() if value is not None}.keys() == {
            "id", "label", "created_at", "updated_at",
        }  # fmt: skip

    async def test_a_session_of_ones_own_refuses_it_too(self, db: Database) -> None:
        held = await Parcel.create(label="held")
        async with AsyncSession(db.engine, expire_on_commit=False) as session:
            for name, value, message in WRONG:
                with pytest.raises(WrongValue, match=message):
                    await Parcel.create(session=session, **given(name, value))
                found = await Parcel.get(held.id, session=session)
                with pytest.raises(WrongValue, match=message):
                    await found.update(session=session, **given(name, value))
                await session.rollback()
                session.add(Parcel(**given(name, value)))
                with pytest.raises(WrongValue, match=message):
                    await session.commit()
                await session.rollback()
        assert await Parcel.row_count() == 1

    async def test_a_session_of_ones_own_converts_values(self, db: Database) -> None:
        owner = await Author.create(email="kim")
        async with AsyncSession(db.engine, expire_on_commit=False) as session:
            made = await Parcel.create(session=session, owner_id=str(owner.id), genre="crime", auto_commit=True)
        found = await Parcel.get(made.id)
        assert (found.owner_id, found.genre) == (made.owner_id, made.genre) == (owner.id, Genre.CRIME)

    async def test_the_message_leaves_the_value_out(self, db: Database) -> None:
        del db
        with pytest.raises(WrongValue) as caught:
            await Parcel.create(label="secret" * 10)
        assert "secret" not in str(caught.value)

    async def test_text_of_a_key_and_of_a_member_is_taken(self, db: Database) -> None:
        del db
        owner = await Author.create(email="kim")
        made = await Parcel.create(owner_id=str(owner.id), genre="crime", level=10)
        assert (made.owner_id, made.genre, made.level) == (owner.id, Genre.CRIME, Level.HIGH)
        await Parcel.bulk_create([{"owner_id": str(owner.id), "genre": "crime"}])
        assert await Parcel.filter_by(genre=Genre.CRIME, owner_id=owner.id).count() == 2

    async def test_the_largest_values_are_taken(self, db: Database) -> None:
        del db
        await Parcel.create(label="é" * 20, weight_g=2**31 - 1, size=-(2**15), price=Decimal("99999999.99"))
        assert await Parcel.filter_by(weight_g=2**31 - 1, price=Decimal("99999999.99")).exists()
        values: dict[str, Any] = {
            "notes": "x" * 65_535,
            "seal": b"x" * 65_535,
            "stamp": b"x" * 16,
            "single": 3e38,
            "price": Decimal("1.500"),
            "whole": Decimal("1e3"),
            "facts": {"a": [1, 1.5, None, {"b": "é"}]},
            "papers": {"a": "😀"},
        }
        made = await Parcel.create(**values, noted_at=dt.datetime(2026, 1, 1, 9, tzinfo=dt.UTC))
        found = await Parcel.get(made.id)
        assert {name: getattr(found, name) for name in values} == values
        assert found.noted_at == dt.datetime(2026, 1, 1, 9)  # noqa: DTZ001  # the column keeps no time zone

    async def test_what_the_engines_serializer_refuses_is_an_error_of_the_library(self, db: Database) -> None:
        del db
        with pytest.raises(WrongValue, match="not JSON serializable"):
            await Parcel.create(papers={"a": object()})
        assert await Parcel.row_count() == 0

    async def test_unsigned_integers_are_taken(self, db: Database) -> None:
        del db
        made = await Parcel.create(pallets=2**32 - 1)
        assert (await Parcel.get(pallets=2**32 - 1)).id == made.id
        for kind, highest in ((mysql.INTEGER(unsigned=True), 2**32 - 1), (mysql.BIGINT(unsigned=True), 2**64 - 1)):
            check = storage(Column("x", kind))
            assert check(highest) == highest
            for wrong in (-1, highest + 1):
                with pytest.raises(Refused, match="an int from 0"):
                    check(wrong)
        assert coercion(Column("x", mysql.BIGINT(unsigned=True)))(2**64 - 1) == 2**64 - 1

    async def test_a_uuid_column_of_text_takes_a_uuid_and_its_text(self, db: Database) -> None:
        del db
        ticket = uuid7()
        for value in (ticket, str(ticket), ticket.hex):
            made = await Parcel.create(ticket=value)
            assert made.ticket == str(ticket)
            assert (await Parcel.get(made.id)).ticket == str(ticket)
        assert await Parcel.filter_by(ticket=str(ticket)).count() == 3

    async def test_a_missing_value_is_a_conflict(self, db: Database) -> None:
        del db
        with pytest.raises(Conflict) as caught:
            await Memo.bulk_create([{"subtitle": "x"}])
        assert (caught.value.kind, caught.value.columns) == ("not null", ("title",))


@pytest.mark.usefixtures("db")
class TestQueries:
    async def test_members_of_an_int_enum_sort_as_integers(self) -> None:
        await Parcel.bulk_create([{"level": Level.HIGH}, {"level": Level.LOW}])
        assert await Parcel.order_by("level").pluck("level") == [Level.LOW, Level.HIGH]
        assert await Parcel.filter_by(level__gt=Level.LOW).count() == 1

    @pytest.mark.parametrize("field", ["weight_g", "price", "ratio", "pallets"])
    @pytest.mark.parametrize("value", [2**63, 2**70, 10**400, Decimal("1e400"), math.inf])
    async def test_a_number_that_no_row_has_compares(self, field: str, value: "float | Decimal") -> None:
        if field in ("weight_g", "pallets") and not isinstance(value, int):
            return
        await Parcel.bulk_create([{field: 1}, {field: 2}, {field: None}])
        counts = {
            lookup: await Parcel.filter_by(**{f"{field}__{lookup}": wanted}).count()
            for lookup, wanted in {
                "eq": value, "ne": value, "lt": value, "ge": value, "in": [value, 1], "notin": [value, 1],
                "between": (1, value),
            }.items()
        }  # fmt: skip
        assert counts == {"eq": 0, "ne": 2, "lt": 2, "ge": 0, "in": 1, "notin": 1, "between": 2}
        assert await Parcel.filter_by(**{f"{field}__gt": -value}).count() == 2
        assert await Parcel.filter_by(**{f"{field}__le": -value}).count() == 0

    async def test_no_row_has_a_key_that_no_database_has(self) -> None:
        assert await Visit.get_or_none(2**70) is None
        assert await Visit.query().limit(2**70).offset(2**70).all() == []

    async def test_not_a_number_is_refused(self) -> None:
        for nothing in (math.nan, Decimal("NaN"), Decimal("sNaN")):
            with pytest.raises(WrongValueForLookup, match="takes a number"):
                await Parcel.filter_by(ratio=nothing).count()

    async def test_an_integer_out_of_the_columns_range_compares(self) -> None:
        await Parcel.create(weight_g=1)
        assert await Parcel.filter_by(weight_g__lt=2**40).count() == 1

    @pytest.mark.parametrize("lookup", ["eq", "contains", "istartswith", "regex", "like"])
    async def test_text_that_has_no_bytes_is_refused(self, lookup: str) -> None:
        with pytest.raises(WrongValueForLookup, match="lone surrogates"):
            await Parcel.filter_by(**{f"label__{lookup}": "\ud800"}).count()

    @pytest.mark.parametrize("lookup", ["like", "ilike", "regex"])
    async def test_a_pattern_with_a_nul_is_refused(self, lookup: str) -> None:
        await Book.create(title="x")
        with pytest.raises(WrongValueForLookup, match="NUL"):
            await Book.filter_by(**{f"title__{lookup}": "\0"}).count()

    @pytest.mark.parametrize(
        ("lookup", "value", "expected"),
        [
            ("contains", "\0", "abcd"),
            ("contains", "\0b", "a"),
            ("icontains", "\0B", "ab"),
            ("startswith", "\0", "c"),
            ("startswith", "a\0b", "a"),
            ("istartswith", "A\0B", "ab"),
            ("endswith", "\0", "cd"),
            ("endswith", "\0b", "a"),
            ("iendswith", "\0B", "ab"),
            ("iexact", "A\0B", "ab"),
            ("eq", "a\0b", "a"),
            ("contains", "*\0", "d"),
        ],
    )
    async def test_text_with_a_nul_is_found(self, lookup: str, value: str, expected: str) -> None:
        for text, title in {"a": "a\0b", "b": "A\0B", "c": "\0", "d": "%*\0", "e": "x"}.items():
            await Book.create(text=text, title=title)
        assert "".join(await Book.filter_by(**{f"title__{lookup}": value}).order_by("text").pluck("text")) == expected

    async def test_a_broken_regular_expression_is_refused(self) -> None:
        await Book.create(title="x")
        with pytest.raises(WrongValueForLookup):
            await Book.filter_by(title__regex="(").count()


class TestManyValues:
    @pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
    async def test_more_values_than_sqlite_takes_are_an_error_of_the_library(self, db: Database) -> None:
        del db
        with pytest.raises(WrongValueForLookup, match="in parts"):
            await Author.filter_by(age__in=range(300_000)).count()


@pytest.mark.usefixtures("db")
class TestTimes:
    async def test_what_is_written_is_stored(self) -> None:
        times: dict[str, Any] = {
            "noted_at": dt.datetime(2026, 1, 1, 23, 59, 59, 999_999),  # noqa: DTZ001  # the column keeps no time zone
            "opens_at": dt.time(23, 59, 59, 999_999),
            "lasts": dt.timedelta(days=-1, hours=5),
        }
        made = await Parcel.create(**times)
        await Parcel.bulk_create([times])
        await Parcel.bulk_update([{"id": made.id, "label": "x", **times}])
        for name, value in times.items():
            assert await Parcel.query().pluck(name) == [value, value]
            assert await Parcel.filter_by(**{name: value}).count() == 2

    async def test_column_with_a_default_of_the_database_takes_whole_seconds(self) -> None:
        with pytest.raises(WrongValue, match=r"Measured\.stamped takes whole seconds"):
            await Measured.create(title="a", stamped=dt.datetime(2026, 1, 1, microsecond=1))  # noqa: DTZ001  # as above

    async def test_a_computed_column_takes_no_value(self) -> None:
        made = await Measured.create(title="a")
        for write in (
            lambda: Measured.create(title="b", area=4),
            lambda: made.update(area=4),
            lambda: Measured.bulk_create([{"title": "b", "area": 4}]),
            lambda: Measured.filter_by(title="a").update(area=4),
        ):
            with pytest.raises(WrongValue, match=r"Measured\.area takes no value, as the database computes it"):
                await write()
        assert await Measured.query().pluck("area") == [1]


@pytest.mark.usefixtures("db")
class TestNone:
    """An explicit None is NULL in every write, also in a column with a default, which is for what is left out."""

    async def test_none_is_null_in_a_column_with_a_default_of_the_database(self) -> None:
        await Measured.create(title="a", stamped=None)
        await Measured(title="b", stamped=None).save()
        await Measured.get_or_create({"stamped": None}, title="c")
        await Measured.create_or_update(by="title", title="d", stamped=None)
        await Measured.bulk_create([{"title": "e", "stamped": None}])
        await Measured.bulk_create([Measured(title="f", stamped=None)])
        await Measured.upsert({"id": uuid7(), "title": "g", "stamped": None})
        assert await Measured.order_by("title").pluck("stamped") == [None] * 7

    async def test_none_is_null_in_a_json_column(self) -> None:
        made = await Memo.create(title="a", document=None)
        await Memo.bulk_create([{"title": "b", "document": None}, Memo(title="c", document=None)])
        await Memo.bulk_update([{"id": made.id, "document": {}}])
        await Memo.bulk_update([{"id": made.id, "document": None}])
        assert await Memo.filter_by(document=None).count() == 3
        await made.refresh()
        await made.update(document={})
        await made.update(document=None)
        await Memo.filter_by(title="b").update(document={})
        await Memo.filter_by(title="b").update(document=None)
        assert await Memo.filter_by(document__isnull=True).count() == 3

    async def test_left_out_column_has_the_default_of_the_database(self) -> None:
        made = await Measured.create(title="a")
        await Measured.bulk_create([{"title": "b"}, Measured(title="c")])
        assert made.stamped is not None
        assert await Measured.filter_by(stamped__isnull=True).count() == 0

    async def test_none_is_null_in_a_column_with_a_default_of_python(self) -> None:
        for write in (
            lambda: Author.create(email="a", age=None),
            lambda: Author.bulk_create([{"email": "a", "age": None}]),
            lambda: Author.bulk_create([Author(email="a", age=None)]),
            lambda: Author.upsert({"email": "a", "age": None}),
        ):
            with pytest.raises(Conflict) as caught:
                await write()
            assert (caught.value.kind, caught.value.columns) == ("not null", ("age",))
