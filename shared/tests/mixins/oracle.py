"""A table of authors in plain Python: what the library must answer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from bongsu.mixins import Q

Row = dict[str, Any]

# Letters of both cases, accents, emoji, wildcards of LIKE and GLOB, quotes and escapes. Trailing spaces only where the
# column tells them apart.
LETTERS = st.text(alphabet="abAB%_*?[]|\\'éÉ한😀🍣", max_size=4)
EMAILS = st.text(alphabet="aA %é😀", min_size=1, max_size=2)
AGES = st.integers(0, 4)
CODES = st.sampled_from(["KR", "US", "kr"])
COUNTRIES = st.none() | CODES
NAMES = st.none() | LETTERS

TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda have, want: have == want,
    "ne": lambda have, want: have is not None and have != want,
    "gt": lambda have, want: have is not None and have > want,
    "ge": lambda have, want: have is not None and have >= want,
    "lt": lambda have, want: have is not None and have < want,
    "le": lambda have, want: have is not None and have <= want,
    "in": lambda have, want: have in want,
    "notin": lambda have, want: not want or (have not in want and (have is not None)),
    "between": lambda have, want: have is not None and want[0] <= have <= want[1],
    "isnull": lambda have, want: (have is None) == want,
    "contains": lambda have, want: have is not None and want in have,
    "icontains": lambda have, want: have is not None and want.lower() in have.lower(),
    "startswith": lambda have, want: have is not None and have.startswith(want),
    "istartswith": lambda have, want: have is not None and have.lower().startswith(want.lower()),
    "endswith": lambda have, want: have is not None and have.endswith(want),
    "iendswith": lambda have, want: have is not None and have.lower().endswith(want.lower()),
    "iexact": lambda have, want: have is not None and have.lower() == want.lower(),
}
_TEXT = ("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "iexact")
_ORDERED = ("gt", "ge", "lt", "le")


@dataclass(frozen=True)
class Condition:
    """A condition for the library, and the same for a row of the oracle."""

    query: Q
    holds: Callable[[Row], bool]
    text: str = field(compare=False)

    def __repr__(self) -> str:
        return self.text


def _lookup(name: str, lookup: str, value: Any) -> Condition:  # noqa: ANN401  # any column's value
    return Condition(
        Q(**{f"{name}__{lookup}": value}), lambda row: TESTS[lookup](row[name], value), f"{name}__{lookup}={value!r}"
    )


def _lookups(
    name: str, present: st.SearchStrategy[Any], *, is_text: bool, is_nullable: bool
) -> st.SearchStrategy[Condition]:
    values = st.none() | present if is_nullable else present
    kinds = [
        st.builds(_lookup, st.just(name), st.just("eq"), values),
        st.builds(_lookup, st.just(name), st.just("ne"), present),
        st.builds(_lookup, st.just(name), st.sampled_from(_ORDERED), present),
        st.builds(_lookup, st.just(name), st.just("in"), st.lists(values, max_size=3)),
        st.builds(_lookup, st.just(name), st.just("notin"), st.lists(values, max_size=3)),
        st.builds(_lookup, st.just(name), st.just("between"), st.tuples(present, present)),
        st.builds(_lookup, st.just(name), st.just("isnull"), st.booleans()),
    ]
    if is_text:
        kinds.append(st.builds(_lookup, st.just(name), st.sampled_from(_TEXT), LETTERS))
    return st.one_of(kinds)


def _not(inner: Condition) -> Condition:
    return Condition(~inner.query, lambda row: not inner.holds(row), f"~({inner})")


def _and(left: Condition, right: Condition) -> Condition:
    return Condition(left.query & right.query, lambda row: left.holds(row) and right.holds(row), f"({left} & {right})")


def _or(left: Condition, right: Condition) -> Condition:
    return Condition(left.query | right.query, lambda row: left.holds(row) or right.holds(row), f"({left} | {right})")


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        _lookups("email", EMAILS, is_text=True, is_nullable=False),
        _lookups("name", LETTERS, is_text=True, is_nullable=True),
        _lookups("age", AGES, is_text=False, is_nullable=False),
        _lookups("country", CODES, is_text=True, is_nullable=True),
    ),
    lambda inner: st.one_of(st.builds(_not, inner), st.builds(_and, inner, inner), st.builds(_or, inner, inner)),
    max_leaves=4,
)
ORDERS = st.lists(
    st.tuples(st.sampled_from(["email", "name", "age", "country"]), st.booleans()), max_size=2, unique_by=lambda t: t[0]
)


def ordered(rows: Iterable[Row], order: list[tuple[str, bool]]) -> list[Row]:
    """The rows in an order of (field, is descending), then by e-mail address; None is the smallest value."""
    result = sorted(rows, key=lambda row: str(row["email"]))
    for name, descending in reversed(order):
        result.sort(key=lambda row: (False,) if row[name] is None else (True, row[name]), reverse=descending)
    return result


def terms(order: list[tuple[str, bool]]) -> list[str]:
    """The same order for `order_by`."""
    return [*("-" * descending + name for name, descending in order), "email"]
