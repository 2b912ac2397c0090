"""MySQL's own types, and types of one's own: values are checked alike, and objects hold what their rows hold."""

import datetime as dt
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, Dialect, Numeric, SmallInteger
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator

from bongsu.mixins import Database, UnknownLookup, WrongValue, WrongValueForLookup
from bongsu.mixins.storage import storage
from bongsu.mixins.values import Refused, coercion
from shared.tests.mixins.library import Crate, Mark

NAIVE = dt.datetime(2026, 1, 1)  # noqa: DTZ001  # the columns keep no time zone
CRATE_WRONG: list[tuple[str, object, str]] = [
    ("tiny", 128, "an int from -128 to 127"),
    ("tiny_unsigned", -1, "an int from 0 to 255"),
    ("tiny_unsigned", 256, "an int from 0 to 255"),
    ("medium", 1 << 23, "an int from -8388608 to 8388607"),
    ("small_unsigned", 65_536, "an int from 0 to 65535"),
    ("year", 1900, "an int from 1901 to 2155"),
    ("year", "2026", "an int"),
    ("bits", 16, "an int from 0 to 15"),
    ("short", "é" * 128, "at most 255 bytes, not 256"),
    ("padded", "a ", "without spaces at its end"),
    ("padded", "abcdef", "at most 5 characters"),
    ("exact", b"abc", "exactly 4 bytes, not 3"),
    ("varying", b"abcde", "at most 4 bytes, not 5"),
    ("varying", "abc", "bytes"),
    ("blob", b"x" * 256, "at most 255 bytes"),
    ("stamped", dt.datetime(1970, 1, 1), "from 1970-01-01 00:00:01"),  # noqa: DTZ001  # as above
    ("stamped", dt.datetime(2039, 1, 1), "to 2038-01-19"),  # noqa: DTZ001  # as above
    ("millis", NAIVE.replace(microsecond=1), "3 digits of a second"),
    ("tenths", dt.time(1, 2, 3, 50_000), "1 digits of a second"),
    ("positive", Decimal(-1), "a number from 0"),
    ("rate", -0.5, "a number from 0"),
    ("rate", 0.125, "at most 2 digits after the point"),
    ("mark", Mark.RED | Mark.BLUE, r"one of 1, 2 \(`IntegerEnum\(Mark\)` takes several\)"),
    ("mark", Mark(0), "one of 1, 2"),
    ("mark", 4, "one of 1, 2"),
    ("trimmed", "abcdef", "at most 5 characters, not 6"),
    ("trimmed", " abcdef ", "at most 5 characters, not 6"),
    ("wide", Decimal("1e28"), "at most 28 digits before the point"),
]
CRATE_RIGHT: list[tuple[str, object, object]] = [
    ("tiny", -128, -128),
    ("tiny_unsigned", 255, 255),
    ("medium", -(1 << 23), -(1 << 23)),
    ("small_unsigned", 65_535, 65_535),
    ("year", 2155, 2155),
    ("bits", 15, 15),
    ("short", "é" * 127, "é" * 127),
    ("medium_text", "x" * 70_000, "x" * 70_000),
    ("padded", " a", " a"),
    ("exact", b"a\0\0b", b"a\0\0b"),
    ("varying", b"a\0", b"a\0"),
    ("blob", b"x" * 255, b"x" * 255),
    ("stamped", dt.datetime(2038, 1, 19, 3, 14, 7, 5), dt.datetime(2038, 1, 19, 3, 14, 7, 5)),  # noqa: DTZ001  # as above
    ("stamped", NAIVE.replace(tzinfo=dt.UTC), NAIVE),
    ("millis", NAIVE.replace(microsecond=1000), NAIVE.replace(microsecond=1000)),
    ("tenths", dt.time(1, 2, 3, 500_000), dt.time(1, 2, 3, 500_000)),
    ("positive", 0.1, Decimal("0.10")),
    ("positive", 5, Decimal(5)),
    ("rate", Decimal("0.25"), 0.25),
    ("mark", "RED", Mark.RED),
    ("mark", 2, Mark.BLUE),
    ("marks", Mark.RED | Mark.BLUE, Mark.RED | Mark.BLUE),
    ("marks", 3, Mark.RED | Mark.BLUE),
    ("trimmed", "  abc  ", None),
    ("wide", Decimal("1234567890123.25"), Decimal("1234567890123.25")),
    ("whole", 1 << 70, Decimal(1 << 70)),
]


def given(name: str, value: object) -> dict[str, Any]:
    return {name: value}


async def created(name: str, value: object) -> Crate:
    return await Crate.create(**given(name, value))


async def created_together(name: str, value: object) -> Crate:
    crates = [Crate(**given(name, value)), Crate()]
    await Crate.bulk_create(crates)
    return crates[0]


async def updated(name: str, value: object) -> Crate:
    crate = await Crate.create()
    await crate.update(**given(name, value))
    return crate


async def updated_together(name: str, value: object) -> Crate:
    crate = await Crate.create()
    crate.fill(**given(name, value))
    await Crate.bulk_update([crate])
    return crate


@pytest.mark.usefixtures("db")
class TestTypesOfMySQL:
    async def test_a_value_that_does_not_fit_is_refused(self) -> None:
        for name, value, message in CRATE_WRONG:
            for write in (created, created_together, updated, updated_together):
                with pytest.raises(WrongValue, match=rf"Crate\.{name} takes .*{message}"):
                    await write(name, value)
        assert await Crate.filter_by(**{f"{name}__isnull": False for name, _, _ in CRATE_WRONG[:1]}).count() == 0

    @pytest.mark.parametrize(
        "write", [created, created_together, updated, updated_together], ids=lambda way: way.__name__
    )
    async def test_an_object_has_the_value_that_its_row_has(
        self, write: Callable[[str, object], Awaitable[Crate]]
    ) -> None:
        for name, value, stored in CRATE_RIGHT:
            made = await write(name, value)
            found = await Crate.get(made.id)
            if stored is not None:  # a type of one's own may make another value of it
                assert (name, getattr(made, name)) == (name, stored)
                assert type(getattr(made, name)) is type(getattr(found, name)) or isinstance(value, int)
            assert (name, getattr(found, name)) == (name, "abc" if stored is None else stored)
            assert made.updated_at == found.updated_at
            if name != "medium_text":
                assert await Crate.filter_by(**{name: value, "id": made.id}).count() == 1, name

    async def test_filters_check_values(self) -> None:
        for name, value in {
            "year": "2026", "bits": "1", "exact": "abcd", "varying": "x", "blob": 5, "tiny": "1",
            "mark": Mark.RED | Mark.BLUE, "short": 5, "millis": "now", "positive": "1",
        }.items():  # fmt: skip
            with pytest.raises(WrongValueForLookup, match=rf"Crate\.{name}"):
                await Crate.filter_by(**{name: value}).count()

    async def test_an_integer_out_of_the_columns_range_compares(self) -> None:
        await Crate.create(tiny=1, bits=1, year=2026)
        assert await Crate.filter_by(tiny__lt=1000, bits__lt=1 << 64, year__gt=-5).count() == 1

    @pytest.mark.parametrize("value", [Decimal("12345678901234567.89"), Decimal("0.07"), 10**17 + 1, 2**63 + 1])
    async def test_the_digits_of_a_number_are_all_stored_or_refused(self, db: Database, value: "Decimal | int") -> None:
        name = "wide" if isinstance(value, Decimal) else "whole"
        for write in (created, created_together, updated, updated_together):
            if db.engine.dialect.name == "sqlite" and value != Decimal("0.07"):
                with pytest.raises(WrongValue, match=rf"Crate\.{name} takes about 15 digits on SQLite"):
                    await write(name, value)
                with pytest.raises(WrongValue, match=rf"Crate\.{name}"):
                    await Crate.filter_by(tiny=1).update(**given(name, value))
            else:
                made = await write(name, value)
                assert getattr(await Crate.get(made.id), name) == value == getattr(made, name)

    def test_members_of_a_set_are_checked(self) -> None:
        column = Column("x", mysql.SET("a", "b"))
        for value in ({"b", "a"}, "b,a", ["a", "b"]):
            assert (storage(column)(value), coercion(column)(value)) == ({"a", "b"}, "a,b")
        assert (storage(column)(set()), coercion(column)("")) == (set(), "")
        for wrong in ({"c"}, "a,c", 5):
            with pytest.raises(Refused, match="a set of a, b"):
                storage(column)(wrong)

    def test_types_of_ones_own_say_what_they_take(self) -> None:
        class Even(TypeDecorator[int]):
            impl, cache_ok = SmallInteger, True

            def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
                del dialect
                if value is None or value % 2 == 0:
                    return value
                raise ValueError("even numbers")

        class Price(TypeDecorator[Decimal]):
            """Sent as text, which databases take for a number."""

            impl, cache_ok = Numeric(10, 2), True

            def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401  # the driver's
                del dialect
                return None if value is None else str(value)

        even = storage(Column("x", Even()))
        assert even(4) == 4
        for wrong, message in (
            (3, r"what its type takes \(even numbers\)"),
            ("a", "what its type takes"),
            (40_000, "-32768"),
        ):
            with pytest.raises(Refused, match=message):
                even(wrong)
        assert storage(Column("x", Price()))(Decimal("1.25")) == Decimal("1.25")

    async def test_a_field_whose_name_ends_in_an_underscore_takes_lookups(self) -> None:
        await Crate.bulk_create([{"type_": "a"}, {"type_": "b"}])
        assert await Crate.filter_by(type___in=["a"]).count() == 1
        assert await Crate.exclude(type___startswith="a").order_by("-type_").pluck("type_") == ["b"]
        with pytest.raises(UnknownLookup, match="startwith"):
            await Crate.filter_by(type___startwith="a").count()
