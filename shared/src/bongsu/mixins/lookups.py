"""The lookups: `field__lookup=value`, each a test on a column.

`year month day date hour` are periods of a datetime or date column, as ranges that an index can serve. Days are those
of UTC, or of the time zone given with the value: `date=(date(2026, 11, 24), ZoneInfo("Asia/Seoul"))`.
"""

import datetime as dt
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, Date, Select, and_, extract, false, or_, true
from sqlalchemy.types import TypeEngine

from bongsu.mixins.errors import WrongValueForLookup
from bongsu.mixins.text import Shape, exact_match, folded_match, regex_match
from bongsu.mixins.values import Coerce, coerced, is_expression, plain_text

COMPARE: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "gte": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "lte": operator.le,
}


def period_match(column: ColumnElement[Any], value: object, part: str, comparison: str) -> ColumnElement[bool]:
    """`column`'s year, month, day or date compared with `value`; ValueError says what the part takes.

    A year (`2026`), a month with its year (`(2026, 11)` or `"2026-11"`) and a date are ranges. A lone month (`11`), day
    of the month (`24`) or hour (`9`) recurs, so it is computed for every row.
    """
    zone: dt.tzinfo = dt.UTC
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dt.tzinfo):
        value, zone = value
    if part in _RECURRING and isinstance(value, int) and not isinstance(value, bool):
        lowest, highest = _RECURRING[part]
        if not lowest <= value <= highest or zone is not dt.UTC:
            raise ValueError(f"{'an' if part == 'hour' else 'a'} {part} from {lowest} to {highest}, of UTC")
        compare = {"eq": operator.eq, "ne": operator.ne, **COMPARE}[comparison]
        found: ColumnElement[bool] = compare(extract(part, column), value)
        return found
    start, end = _PERIODS[part](value)
    return _range(column, _bound(start, column.type, zone), _bound(end, column.type, zone), comparison)


def _range(column: ColumnElement[Any], start: object, end: object, comparison: str) -> ColumnElement[bool]:
    match comparison:
        case "eq":
            return (column >= start) & (column < end)
        case "ne":
            return or_(column < start, column >= end)
        case "gt":
            return column >= end
        case "ge" | "gte":
            return column >= start
        case "lt":
            return column < start
        case _:
            return column < end


def _bound(day: dt.date, kind: TypeEngine[Any], zone: dt.tzinfo) -> dt.date:
    if isinstance(kind, Date):
        return day
    try:
        return dt.datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(dt.UTC)
    except OverflowError:
        raise ValueError("a period within the years 1 to 9999 of UTC") from None


def _year(value: object) -> tuple[dt.date, dt.date]:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < dt.MAXYEAR:
        raise ValueError("a year")
    return dt.date(value, 1, 1), dt.date(value + 1, 1, 1)


def _month(value: object) -> tuple[dt.date, dt.date]:
    if isinstance(value, str):
        year, _, month = value.partition("-")
        value = (int(year), int(month)) if year.isdecimal() and month.isdecimal() else None
    match value:
        case (int(year_number), int(month_number)) if 1 <= year_number < dt.MAXYEAR and 1 <= month_number <= 12:
            following = (year_number + 1, 1) if month_number == 12 else (year_number, month_number + 1)
            return dt.date(year_number, month_number, 1), dt.date(*following, 1)
        case _:
            raise ValueError('a month as 11, (2026, 11) or "2026-11"')


def _date(value: object) -> tuple[dt.date, dt.date]:
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError("a date") from None
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime) or value == dt.date.max:
        raise ValueError("a date")
    return value, value + dt.timedelta(days=1)


def _hour(value: object) -> tuple[dt.date, dt.date]:
    del value
    raise ValueError("an hour from 0 to 23")


_RECURRING = {"month": (1, 12), "day": (1, 31), "hour": (0, 23)}
_PERIODS: dict[str, Callable[[object], tuple[dt.date, dt.date]]] = {
    "year": _year,
    "month": _month,
    "day": _date,
    "date": _date,
    "hour": _hour,
}


Test = Callable[[ColumnElement[Any], object, Coerce, str], ColumnElement[bool]]
"""Makes the condition of (column, value, the column's coercion, the lookup as it was written)."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup. `never_null`: its condition is true or false on NULL too."""

    name: str
    test: Test
    never_null: bool = False


def _eq(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
    if value is None:
        return column.is_(None)
    return column == coerced(coerce, value, what)


def _ne(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
    if value is None:
        return column.is_not(None)
    return column != coerced(coerce, value, what)


def _ordered(compare: Callable[[ColumnElement[Any], Any], ColumnElement[bool]]) -> Test:
    def test(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
        if value is None:
            raise WrongValueForLookup(f"{what} takes a value to compare with, not None; for missing values use isnull")
        return compare(column, coerced(coerce, value, what))

    return test


def _members(value: object, coerce: Coerce, what: str) -> list[object]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise WrongValueForLookup(f"{what} takes a list of values, not {value!r}")
    return [coerced(coerce, member, what) for member in value]


def _in(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
    if isinstance(value, Select) or is_expression(value):
        return column.in_(cast("Select[Any]", value))
    members = _members(value, coerce, what)
    present = [member for member in members if member is not None]
    among = column.in_(present) if present else false()
    return among if len(present) == len(members) else or_(among, column.is_(None))


def _notin(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
    if isinstance(value, Select) or is_expression(value):
        return column.not_in(cast("Select[Any]", value))
    members = _members(value, coerce, what)
    present = [member for member in members if member is not None]
    outside = column.not_in(present) if present else true()
    return outside if len(present) == len(members) else and_(outside, column.is_not(None))


def _between(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
    bounds = _members(value, coerce, what)
    if len(bounds) != 2 or None in bounds:
        raise WrongValueForLookup(f"{what} takes two values, the lowest and the highest, not {value!r}")
    lowest: Any
    highest: Any
    lowest, highest = bounds
    return column.between(lowest, highest)


def _isnull(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
    del coerce
    if not isinstance(value, bool):
        raise WrongValueForLookup(f"{what} takes True or False, not {value!r}")
    return column.is_(None) if value else column.is_not(None)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise WrongValueForLookup(f"{what} takes a str, not {value!r}")
    coerced(plain_text, value, what)
    if "\0" in value and what.endswith(("like", "regex")):  # it ends a pattern of SQLite's
        raise WrongValueForLookup(f"{what} takes a pattern without NUL, not {value!r}")
    return value


def _matching(match: Callable[[ColumnElement[Any], str, Shape], ColumnElement[bool]], shape: Shape) -> Test:
    def test(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
        del coerce
        return match(column, _text(value, what), shape)

    return test


def _regex(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
    del coerce
    return regex_match(column, _text(value, what))


def _period(part: str, comparison: str) -> Test:
    def test(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
        del coerce
        try:
            return period_match(column, value, part, comparison)
        except ValueError as error:
            raise WrongValueForLookup(f"{what} takes {error}, not {value!r}") from None

    return test


_TESTS: dict[str, Test] = {
    "eq": _eq,
    "ne": _ne,
    **{name: _ordered(compare) for name, compare in COMPARE.items()},
    "in": _in,
    "notin": _notin,
    "between": _between,
    "isnull": _isnull,
}
COMPARISONS = {name: Lookup(name, test, never_null=name == "isnull") for name, test in _TESTS.items()}
_SHAPES: dict[str, Shape] = {"like": "like", "contains": "contains", "startswith": "startswith", "endswith": "endswith"}
TEXT = {
    **{name: Lookup(name, _matching(exact_match, shape)) for name, shape in _SHAPES.items()},
    **{f"i{name}": Lookup(f"i{name}", _matching(folded_match, shape)) for name, shape in _SHAPES.items()},
    "iexact": Lookup("iexact", _matching(folded_match, "whole")),
    "regex": Lookup("regex", _regex),
}
PERIODS = {
    name: Lookup(name, _period(part, comparison))
    for part in ("year", "month", "day", "date", "hour")
    for comparison in ("eq", "ne", *COMPARE)
    for name in ((part, f"{part}_eq") if comparison == "eq" else (f"{part}_{comparison}",))
}
