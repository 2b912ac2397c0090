"""Conditions: lookups, SQL expressions, and `Q` with `&`, `|` and `~`."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import ColumnElement, and_, not_, or_, true
from sqlalchemy.orm import aliased

from bongsu.mixins.errors import WrongValueForLookup
from bongsu.mixins.fields import fields_of, key_of
from bongsu.mixins.paths import FieldTest, Hop, RelationTest, Resolved, resolve_lookup
from bongsu.mixins.values import is_expression

if TYPE_CHECKING:
    from bongsu.mixins.base import Base

Where: TypeAlias = "Q | ColumnElement[bool]"
Clause = tuple[ColumnElement[bool], bool]
"""A condition, and whether it can be NULL: neither true nor false."""
Entity: TypeAlias = Any
"""A model or an alias of one: what attributes are read from."""


class Q:
    """A condition to combine: `Q(name="a") & ~Q(age__lt=18) | Q(User.score > 3)`.

    `~Q(x)` is every row that `Q(x)` does not give, rows with NULL included. The lookups of one `Q` over the same
    to-many relation are about one and the same related row. `and_…={…}` and `or_…={…}` are nested groups of lookups.
    """

    __slots__ = ("_connector", "_negated", "_parts")

    def __init__(self, *where: Where, **lookups: object) -> None:
        self._parts: tuple[Where | Mapping[str, object], ...] = (*where, lookups) if lookups else where
        self._connector = "and"
        self._negated = False

    @classmethod
    def _of(cls, connector: str, *parts: "Where | Mapping[str, object]", negated: bool = False) -> "Q":
        made = cls(*parts)  # type: ignore[arg-type]  # lookups too, of this class's own making
        made._connector, made._negated = connector, negated
        return made

    def __and__(self, other: Where) -> "Q":
        return Q._of("and", self, other)

    def __or__(self, other: Where) -> "Q":
        return Q._of("or", self, other)

    def __invert__(self) -> "Q":
        return Q._of(self._connector, *self._parts, negated=not self._negated)

    def __bool__(self) -> bool:
        raise TypeError("a Q has no truth value: combine with & | ~, not with and, or, not")

    def compile(self, model: "type[Base]", entity: Entity = None, seen: tuple[type, ...] = ()) -> Clause | None:
        """The condition on `model` (or `entity`, an alias of it); None where it asks for nothing."""
        clauses: list[Clause] = []
        for part in self._parts:
            if isinstance(part, Q):
                clause = part.compile(model, entity, seen)
                if clause is not None:
                    clauses.append(clause)
            elif isinstance(part, Mapping):
                clauses += compile_lookups(model, entity, part, seen, one_group=self._connector == "and")
            else:
                clauses.append((_expression(part), True))
        if not clauses:
            return None
        combined = _combined(self._connector, clauses)
        return negated(combined) if self._negated else combined


def negated(clause: Clause) -> Clause:
    """Every row that the condition does not hold for."""
    condition, may_be_null = clause
    return (condition.is_not(true()) if may_be_null else not_(condition)), False


def _combined(connector: str, clauses: list[Clause]) -> Clause:
    if len(clauses) == 1:
        return clauses[0]
    join = and_ if connector == "and" else or_
    return join(*(condition for condition, _ in clauses)), any(may_be_null for _, may_be_null in clauses)


def _expression(part: object) -> ColumnElement[bool]:
    if not isinstance(part, ColumnElement):
        raise WrongValueForLookup(f"a condition is a lookup, a Q or an SQL expression, not {part!r}")
    return part


def compile_lookups(
    model: "type[Base]",
    entity: Entity,
    lookups: Mapping[str, object],
    seen: tuple[type, ...] = (),
    *,
    one_group: bool = True,
) -> list[Clause]:
    """One condition a lookup; with `one_group`, those over the same relation are about the same related row."""
    clauses: list[Clause] = []
    hops: dict[str, list[tuple[Hop, object]]] = {}
    for key, value in lookups.items():
        group = _group(model, key, value)
        if group is not None:
            clause = group.compile(model, entity, seen)
            if clause is not None:
                clauses.append(clause)
            continue
        resolved = resolve_lookup(model, key)
        if isinstance(resolved, Hop) and one_group:
            hops.setdefault(resolved.name, []).append((resolved, value))
        else:
            clauses.append(_compile_one(model, entity, resolved, value, seen))
    clauses += [_exists(model, entity, steps, seen) for steps in hops.values()]
    return clauses


def _group(model: "type[Base]", key: str, value: object) -> Q | None:
    if not key.startswith(("and_", "or_")) or not isinstance(value, Mapping) or key in fields_of(model).columns:
        return None
    return Q._of(key.partition("_")[0], value)  # noqa: SLF001  # this module's own


def _compile_one(
    model: "type[Base]", entity: Entity, resolved: Resolved, value: object, seen: tuple[type, ...]
) -> Clause:
    if isinstance(resolved, FieldTest):
        attribute: Any = resolved.attribute if entity is None else getattr(entity, resolved.name)
        may_be_null = resolved.may_be_null or is_expression(value)  # another column, or a subquery that holds NULL
        return resolved.lookup.test(attribute, value, resolved.coerce, resolved.what), may_be_null
    if isinstance(resolved, RelationTest):
        return _relation_test(model if entity is None else entity, resolved, value), resolved.lookup in ("eq", "ne")
    return _exists(model, entity, [(resolved, value)], seen)


def _exists(model: "type[Base]", entity: Entity, steps: list[tuple[Hop, object]], seen: tuple[type, ...]) -> Clause:
    first = steps[0][0]
    target, relation = first.target, first.relation
    chain = (*seen, model)
    attribute = getattr(model if entity is None else entity, first.name)
    inner: Entity = None
    if any(issubclass(target, known) or issubclass(known, target) for known in chain):
        inner = aliased(target)
        attribute = attribute.of_type(inner)
    deeper: dict[str, list[tuple[Hop, object]]] = {}
    conditions: list[ColumnElement[bool]] = []
    for step, value in steps:
        if isinstance(step.rest, Hop):
            deeper.setdefault(step.rest.name, []).append((step.rest, value))
        else:
            conditions.append(_compile_one(target, inner, step.rest, value, chain)[0])
    conditions += [_exists(target, inner, group, chain)[0] for group in deeper.values()]
    deleted_at = fields_of(target).deleted_at
    if deleted_at is not None:
        conditions.append(getattr(target if inner is None else inner, deleted_at).is_(None))
    condition = and_(*conditions)
    return (attribute.any(condition) if relation.uselist else attribute.has(condition)), False


def _relation_test(entity: Entity, test: RelationTest, value: object) -> ColumnElement[bool]:
    attribute, many = getattr(entity, test.name), bool(test.relation.uselist)
    there: ColumnElement[bool]
    target: Any = test.relation.mapper.class_
    deleted_at = fields_of(target).deleted_at
    is_there = () if deleted_at is None else (getattr(target, deleted_at).is_(None),)
    exists = attribute.any if many else attribute.has
    match test.lookup:
        case "isnull":
            if not isinstance(value, bool):
                raise WrongValueForLookup(f"{test.what} takes True or False, not {value!r}")
            there = exists(*is_there)
            return not_(there) if value else there
        case "in" if is_expression(value):  # a query of the related model
            there = exists(*is_there, key_of(target).in_(value))
            return there
        case "in":
            members = [_related(test, member) for member in _listed(test, value)]
            return or_(*(_is_related(attribute, member, many) for member in members)) if members else not_(true())
        case _:
            if value is None:
                there = exists(*is_there)
                return not_(there) if test.lookup == "eq" else there
            same = _is_related(attribute, _related(test, value), many)
            return same if test.lookup == "eq" else not_(same)


def _is_related(attribute: Any, value: object, many: bool) -> ColumnElement[bool]:  # noqa: ANN401  # SQLAlchemy's attribute
    condition: ColumnElement[bool] = attribute.contains(value) if many else attribute == value
    return condition


def _listed(test: RelationTest, value: object) -> Iterable[object]:
    if not isinstance(value, Iterable):
        raise WrongValueForLookup(f"{test.what} takes a list of {test.relation.mapper.class_.__name__}, not {value!r}")
    return value


def _related(test: RelationTest, value: object) -> object:
    if not isinstance(value, test.relation.mapper.class_):
        raise WrongValueForLookup(f"{test.what} takes a {test.relation.mapper.class_.__name__}, not {value!r}")
    return value
