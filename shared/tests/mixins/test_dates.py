import datetime as dt

import pytest

from bongsu.mixins import Database, WrongValueForLookup
from shared.tests.mixins.library import Author

UTC = dt.UTC
SEEN = {
    "a": dt.datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "b": dt.datetime(2026, 1, 1, tzinfo=UTC),
    "c": dt.datetime(2026, 11, 24, 12, tzinfo=UTC),
    "d": dt.datetime(2027, 1, 1, tzinfo=UTC),
}
NOVEMBER_24 = dt.date(2026, 11, 24)

CASES: list[tuple[dict[str, object], str]] = [
    ({"seen_at__year": 2026}, "bc"),
    ({"seen_at__year_eq": 2026}, "bc"),
    ({"seen_at__year__eq": 2026}, "bc"),
    ({"seen_at__year_ne": 2026}, "ad"),
    ({"seen_at__year_gt": 2025}, "bcd"),
    ({"seen_at__year_ge": 2026}, "bcd"),
    ({"seen_at__year__gte": 2026}, "bcd"),
    ({"seen_at__year_lt": 2026}, "a"),
    ({"seen_at__year_le": 2026}, "abc"),
    ({"seen_at__month": 1}, "bd"),
    ({"seen_at__month_gt": 11}, "a"),
    ({"seen_at__month": (2026, 11)}, "c"),
    ({"seen_at__month": "2025-12"}, "a"),
    ({"seen_at__month_ge": (2026, 2)}, "cd"),
    ({"seen_at__day": 24}, "c"),
    ({"seen_at__day_lt": 24}, "bd"),
    ({"seen_at__day": NOVEMBER_24}, "c"),
    ({"seen_at__date": NOVEMBER_24}, "c"),
    ({"seen_at__date": "2026-11-24"}, "c"),
    ({"seen_at__date_gt": dt.date(2025, 12, 31)}, "bcd"),
    ({"seen_at__date_le": dt.date(2026, 1, 1)}, "ab"),
    ({"seen_at__date_ne": NOVEMBER_24}, "abd"),
    ({"born_on__year": 2026}, "bc"),
    ({"born_on__month": "2026-11"}, "c"),
    ({"born_on__date_lt": NOVEMBER_24}, "ab"),
]


class TestPeriods:
    async def test_each_period_finds_the_same_rows_on_every_database(self, db: Database) -> None:
        del db
        for email, seen_at in SEEN.items():
            await Author.create(email=email, seen_at=seen_at, born_on=seen_at.date())
        for lookups, expected in CASES:
            found = await Author.filter_by(**lookups).order_by("email").pluck("email")
            assert "".join(found) == expected, lookups

    def test_a_period_is_a_range_that_an_index_can_serve(self) -> None:
        statement = str(Author.filter_by(seen_at__year=2026).statement).split("WHERE")[1]
        assert "authors.seen_at >= " in statement
        assert "EXTRACT" not in statement

    @pytest.mark.parametrize(
        ("lookups", "message"),
        [
            ({"seen_at__year": "2026"}, "takes a year"),
            ({"seen_at__year": 0}, "takes a year"),
            ({"seen_at__month": 13}, "takes a month from 1 to 12"),
            ({"seen_at__month": "November"}, "takes a month as 11"),
            ({"seen_at__day": 32}, "takes a day from 1 to 31"),
            ({"seen_at__date": 24}, "takes a date"),
            ({"seen_at__date": "24.11.2026"}, "takes a date"),
        ],
    )
    def test_a_value_that_is_no_period_is_refused(self, lookups: dict[str, object], message: str) -> None:
        with pytest.raises(WrongValueForLookup, match=message):
            Author.filter_by(**lookups)
