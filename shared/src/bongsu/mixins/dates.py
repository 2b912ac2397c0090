"""`year month day date hour`: periods of a datetime or date column, as ranges that an index can serve.

Days are those of UTC, or of the time zone given with the value: `date=(date(2026, 11, 24), ZoneInfo("Asia/Seoul"))`.
"""

import datetime as dt
import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Date, extract, or_
from sqlalchemy.types import TypeEngine

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
            raise ValueError(f"a {part} from {lowest} to {highest}, of UTC")
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
