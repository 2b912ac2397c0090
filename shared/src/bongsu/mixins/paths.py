"""Resolves `author__name__icontains` and `-author.name` against a model, once for each (model, key).

To build and to hash the SQL of a short query costs more than to run it. So a comparison keeps its value apart from its
SQL, and queries that differ in values only share a statement, which takes these as parameters.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import BinaryExpression, BindParameter, ColumnElement, Date, DateTime, Select, String, bindparam
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine

from bongsu.mixins.errors import UnknownField, UnknownLookup, WrongValueForLookup
from bongsu.mixins.fields import fields_of
from bongsu.mixins.json_paths import LOOKUPS as PART_LOOKUPS
from bongsu.mixins.json_paths import as_document, json_lookup, json_part
from bongsu.mixins.lookups import COMPARISONS, PERIODS, TEXT, Lookup
from bongsu.mixins.types import has_native_enum, is_document
from bongsu.mixins.values import Coerce, coerced, coercion, is_expression

if TYPE_CHECKING:
    from bongsu.mixins.base import Base

PLAIN_LOOKUPS = frozenset(("eq", "ne", "gt", "ge", "gte", "lt", "le", "lte", "isnull"))
RELATION_LOOKUPS = ("eq", "ne", "in", "isnull")
Shape = tuple[object, ...]

_MOST_SHAPES = 1024
_plans: dict[Shape, Select[Any] | None] = {}
_PARAMETERS = tuple(f"value{number}" for number in range(16))
"""Not `value_1`: so SQLAlchemy names the parameters of a column `value`."""
_as_it_is = coercion(None)


@dataclass(frozen=True, slots=True, eq=False)
class FieldTest:
    """A lookup on a field of the model."""

    name: str
    attribute: "QueryableAttribute[Any]"
    lookup: Lookup
    coerce: Coerce
    may_be_null: bool
    what: str
    is_part: bool = False
    """Whether it is about a part of a JSON document."""
    is_plain: bool = False
    """Whether it compares a column by SQLAlchemy's own operators, and its value is checked before."""


@dataclass(frozen=True, slots=True)
class RelationTest:
    """A lookup on a relation itself: `author=user`, `posts__isnull=True`."""

    name: str
    relation: "RelationshipProperty[Any]"
    lookup: str
    what: str


@dataclass(frozen=True, slots=True)
class Hop:
    """A step over a relation; `rest` is about its target."""

    name: str
    relation: "RelationshipProperty[Any]"
    target: "type[Base]"
    rest: "FieldTest | RelationTest | Hop"


Resolved = FieldTest | RelationTest | Hop

_resolved: dict[tuple[type, str], Resolved] = {}


def resolve_lookup(model: "type[Base]", key: str) -> Resolved:
    """The lookup that `key` names on the model; `UnknownField` or `UnknownLookup`. Only keys that resolve are kept."""
    found = _resolved.get((model, key))
    if found is None:
        found = _resolve(model, key, key)
        if not _is_about_part(found):  # any key of a document resolves: there is no end of them
            _resolved[model, key] = found
    return found


def _is_about_part(resolved: Resolved) -> bool:
    while isinstance(resolved, Hop):
        resolved = resolved.rest
    return isinstance(resolved, FieldTest) and resolved.is_part


def _resolve(model: "type[Base]", path: str, key: str) -> Resolved:
    fields = fields_of(model)
    for name, rest in _split(path):
        if name in fields.relations or name in fields.queries:
            return _resolve_relation(model, name, rest, key)
        if name in fields.columns or name in fields.hybrids:
            return _resolve_field(model, name, rest.split("__") if rest else [])
    raise UnknownField(model.__name__, path.partition("__")[0], fields.readable)


def _split(path: str) -> Iterator[tuple[str, str]]:
    """Each way to take a name from the path, the longest first: a field's own name may hold `__`, or end in `_`."""
    yield path, ""
    for end in range(len(path) - 2, 0, -1):
        if path.startswith("__", end):
            yield path[:end], path[end + 2 :]


def _resolve_field(model: "type[Base]", name: str, rest: list[str]) -> FieldTest:
    column, what = fields_of(model).columns.get(name), f"{model.__name__}.{name}"
    lookup, path = "_".join(rest) or "eq", list[str]()
    if column is not None and is_document(column.type) and lookup not in PART_LOOKUPS:
        path, lookup = (rest[:-1], rest[-1]) if rest[-1] in PART_LOOKUPS else (rest, "eq")
        found = json_lookup(path, lookup)
    else:
        lookups = COMPARISONS | PERIODS | TEXT if column is None else _lookups_for(column.type)
        if lookup not in lookups:
            raise UnknownLookup(what, lookup, lookups, is_path=len(rest) > 1)
        found = lookups[lookup]
    attribute = getattr(model, name)
    return FieldTest(
        name=name,
        attribute=attribute,
        lookup=found,
        coerce=as_document(column.type) if column is not None and is_document(column.type) else coercion(column),
        may_be_null=(column is None or bool(column.nullable) or bool(path)) and not found.never_null,
        what="__".join((what, *path, lookup)),
        is_part=bool(path),
        is_plain=lookup in PLAIN_LOOKUPS
        and column is not None
        and not is_document(column.type)
        and coercion(column) is not coercion(None)
        and _has_own_operators(attribute),
    )


def _has_own_operators(attribute: "QueryableAttribute[Any]") -> bool:
    """Whether the comparisons are SQLAlchemy's, which look at the type of a value and not at the value."""
    kind = attribute.type
    types = [*type(kind).__mro__, *type(getattr(kind, "impl", kind)).__mro__]
    own = [one for one in types if not one.__module__.startswith("sqlalchemy.")]
    return type(attribute.comparator).__module__.startswith("sqlalchemy.") and not any(
        one.__dict__.keys() & {"comparator_factory", "coerce_compared_value"} for one in own
    )


def _resolve_relation(model: "type[Base]", name: str, rest: str, key: str) -> Resolved:
    relation = (fields_of(model).relations | fields_of(model).queries)[name]
    target: type[Base] = relation.mapper.class_
    target_fields = fields_of(target)
    lookup = rest or "eq"
    if lookup in RELATION_LOOKUPS and lookup not in target_fields.readable:
        return RelationTest(name, relation, lookup, f"{model.__name__}.{name}__{lookup}")
    return Hop(name, relation, target, _resolve(target, rest, key))


def _lookups_for(kind: TypeEngine[Any]) -> dict[str, Lookup]:
    base = kind.impl if isinstance(kind, TypeDecorator) else kind
    if is_document(kind):
        return {name: COMPARISONS[name] for name in ("eq", "ne", "isnull")}
    if isinstance(base, Boolean):
        return {name: COMPARISONS[name] for name in ("eq", "ne", "in", "notin", "isnull")}
    if isinstance(base, DateTime | Date):
        return COMPARISONS | PERIODS
    if isinstance(base, String):
        return COMPARISONS | TEXT
    return COMPARISONS


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
        if not isinstance(test, FieldTest) or not test.is_plain or len(made) == len(_PARAMETERS):
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
        clauses = [each.parametrized(name) for each, name in zip(conditions, _PARAMETERS, strict=False)]
        found = [clause for clause in clauses if clause is not None]
        statement = build(found) if len(found) == len(conditions) else None
        if len(_plans) >= _MOST_SHAPES:
            _plans.clear()
        _plans[shape] = statement
    if statement is None:
        return None
    return statement, {name: each.value for name, each in zip(_PARAMETERS, conditions, strict=False)}


@dataclass(frozen=True, slots=True)
class Place:
    """A field that each row has at most one of: of the model, or of what to-one relations (`hops`) lead to."""

    hops: tuple[str, ...]
    name: str
    path: tuple[str, ...] = ()
    """The way into a JSON document."""
    is_native_enum: bool = False

    @property
    def label(self) -> str:
        """The name of a column of its values."""
        return ".".join((*self.hops, self.name, *self.path))

    def read(self, entity: Any) -> Any:  # noqa: ANN401  # a model or an alias, and SQL of any type
        """What is read from the model, or the alias of it, that `hops` lead to."""
        column = getattr(entity, self.name)
        return json_part(column, self.path, self.name) if self.path else column


def _steps(path: object) -> list[str]:
    if not isinstance(path, str):
        raise WrongValueForLookup(f"fields and relations are named by text, not {path!r}")
    return path.replace("__", ".").split(".")


def to_one_path(model: "type[Base]", path: str) -> Place:
    """`author.name` (or `author__name`) -> hop `author`, field `name`; `facts.size` is a part of a JSON document."""
    steps, owner = _steps(path), model
    for number, step in enumerate(steps):
        fields, rest = fields_of(owner), steps[number + 1 :]
        names = [*fields.columns, *fields.hybrids]
        if step in fields.relations and rest and not fields.relations[step].uselist:
            owner = fields.relations[step].mapper.class_
        elif step in names and (not rest or (step in fields.columns and is_document(fields.columns[step].type))):
            is_native_enum = step in fields.columns and has_native_enum(fields.columns[step])
            return Place(tuple(steps[:number]), step, tuple(rest), is_native_enum)
        else:
            raise UnknownField(owner.__name__, ".".join(steps[number:]), names if step in names else fields.readable)
    raise AssertionError("unreachable: the last step returned or raised")


def relation_path(model: "type[Base]", path: str) -> list["QueryableAttribute[Any]"]:
    """`posts.author` -> the relation attributes along the way."""
    attributes: list[QueryableAttribute[Any]] = []
    owner = model
    for hop in _steps(path):
        relations = fields_of(owner).relations
        fields_of(owner).refuse_unknown([hop], relations)
        attributes.append(getattr(owner, hop))
        owner = relations[hop].mapper.class_
    return attributes
