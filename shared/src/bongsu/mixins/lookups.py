"""The lookups: `field__lookup=value`, each a test on a column."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, and_, false, or_, true

from bongsu.mixins.dates import COMPARE, period_match
from bongsu.mixins.errors import WrongValueForLookup
from bongsu.mixins.text import Shape, exact_match, folded_match, regex_match
from bongsu.mixins.values import Coerce, coerced, is_expression, plain_text

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
