"""Queries of plain comparisons, whose SQL is built once for all that have the same shape.

To build and to hash the SQL of a short query costs more than to run it. So a comparison keeps its value apart from its
SQL, and queries that differ in values only share a statement, which takes these as parameters.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import BinaryExpression, BindParameter, ColumnElement, Select, bindparam

from bongsu.mixins.paths import FieldTest, resolve_lookup
from bongsu.mixins.values import coerced, coercion, is_expression

if TYPE_CHECKING:
    from bongsu.mixins.base import Base

Shape = tuple[object, ...]

_MOST_SHAPES = 1024
_plans: dict[Shape, Select[Any] | None] = {}
_NAMES = tuple(f"value{number}" for number in range(16))
"""Not `value_1`: so SQLAlchemy names the parameters of a column `value`."""
_as_it_is = coercion(None)


class Comparison:
    """`field__lookup=value` on a field of the model itself, checked and not yet SQL."""

    __slots__ = ("_test", "shape", "value")

    def __init__(self, test: FieldTest, value: object) -> None:
        self._test = test
        self.value = value
        # None and booleans are part of the SQL (IS NULL, IS TRUE); the type of any other says how it is sent.
        self.shape: tuple[object, object] = (
            test,
            value if value is None or value is True or value is False else type(value),
        )

    @property
    def clause(self) -> ColumnElement[bool]:
        """The comparison as SQL."""
        return self._with(self.value)

    def parametrized(self, name: str) -> ColumnElement[bool] | None:
        """The comparison with a parameter in place of its value; None where the SQL depends on the value."""
        clause = self.clause
        if self.shape[1] is self.value:
            return clause
        if not isinstance(clause, BinaryExpression) or not isinstance(clause.right, BindParameter):
            return None
        return self._with(bindparam(name, type_=clause.right.type))

    def _with(self, value: object) -> ColumnElement[bool]:
        test = self._test
        attribute: Any = test.attribute
        return test.lookup.test(attribute, value, _as_it_is, test.what)


def comparisons(model: "type[Base]", lookups: Mapping[str, object]) -> list[Comparison] | None:
    """The lookups as plain comparisons; None where one of them is anything else."""
    made: list[Comparison] = []
    for key, value in lookups.items():
        test = None if isinstance(value, Mapping) else resolve_lookup(model, key)  # a group, or a JSON document
        if not isinstance(test, FieldTest) or not test.is_plain or len(made) == len(_NAMES):
            return None
        if test.lookup.name == "isnull" or value is None:
            if type(value) is not bool and test.lookup.name not in ("eq", "ne"):
                return None  # the lookup says what it takes
        elif is_expression(value):
            return None
        else:
            value = coerced(test.coerce, value, test.what)  # noqa: PLW2901  # as the column stores it
        made.append(Comparison(test, value))
    return made


def planned(
    shape: Shape, conditions: Sequence[Comparison], build: Callable[[Sequence[ColumnElement[bool]]], Select[Any]]
) -> tuple[Select[Any], dict[str, object]] | None:
    """The statement of a shape and its parameters; `build` makes it of the conditions. None where it has none."""
    try:
        statement = _plans[shape]  # in one step: another thread may clear them
    except KeyError:
        clauses = [each.parametrized(name) for each, name in zip(conditions, _NAMES, strict=False)]
        found = [clause for clause in clauses if clause is not None]
        statement = build(found) if len(found) == len(conditions) else None
        if len(_plans) >= _MOST_SHAPES:
            _plans.clear()
        _plans[shape] = statement
    if statement is None:
        return None
    return statement, {name: each.value for name, each in zip(_NAMES, conditions, strict=False)}
