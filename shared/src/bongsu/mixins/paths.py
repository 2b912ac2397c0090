"""Resolves `author__name__icontains` and `-author.name` against a model, once for each (model, key)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Date, DateTime, String
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine

from bongsu.mixins.errors import UnknownField, UnknownLookup
from bongsu.mixins.fields import fields_of
from bongsu.mixins.lookups import COMPARISONS, PERIODS, TEXT, Lookup
from bongsu.mixins.types import Json
from bongsu.mixins.values import Coerce, coercion

if TYPE_CHECKING:
    from bongsu.mixins.base import Base

RELATION_LOOKUPS = ("eq", "ne", "in", "isnull")


@dataclass(frozen=True, slots=True)
class FieldTest:
    """A lookup on a field of the model."""

    name: str
    attribute: "QueryableAttribute[Any]"
    lookup: Lookup
    coerce: Coerce
    may_be_null: bool
    what: str


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
        found = _resolved[model, key] = _resolve(model, key.split("__"), key)
    return found


def _resolve(model: "type[Base]", parts: list[str], key: str) -> Resolved:
    fields = fields_of(model)
    for length in range(len(parts), 0, -1):  # a field's own name may hold "__"
        name, rest = "__".join(parts[:length]), parts[length:]
        if name in fields.relations:
            return _resolve_relation(model, name, rest, key)
        if name in fields.columns or name in fields.hybrids:
            return _resolve_field(model, name, "_".join(rest) or "eq")
    raise UnknownField(model.__name__, parts[0], fields.readable)


def _resolve_field(model: "type[Base]", name: str, lookup: str) -> FieldTest:
    column = fields_of(model).columns.get(name)
    lookups = COMPARISONS | PERIODS | TEXT if column is None else _lookups_for(column.type)
    what = f"{model.__name__}.{name}"
    if lookup not in lookups:
        raise UnknownLookup(what, lookup, lookups)
    return FieldTest(
        name=name,
        attribute=getattr(model, name),
        lookup=lookups[lookup],
        coerce=coercion(column),
        may_be_null=(column is None or bool(column.nullable)) and not lookups[lookup].never_null,
        what=f"{what}__{lookup}",
    )


def _resolve_relation(model: "type[Base]", name: str, rest: list[str], key: str) -> Resolved:
    relation = fields_of(model).relations[name]
    target: type[Base] = relation.mapper.class_
    target_fields = fields_of(target)
    lookup = "_".join(rest) or "eq"
    if lookup in RELATION_LOOKUPS and lookup not in target_fields.readable:
        return RelationTest(name, relation, lookup, f"{model.__name__}.{name}__{lookup}")
    return Hop(name, relation, target, _resolve(target, rest, key))


def _lookups_for(kind: TypeEngine[Any]) -> dict[str, Lookup]:
    base = kind.impl if isinstance(kind, TypeDecorator) else kind
    if isinstance(kind, Json):
        return {name: COMPARISONS[name] for name in ("eq", "ne", "isnull")}
    if isinstance(base, Boolean):
        return {name: COMPARISONS[name] for name in ("eq", "ne", "in", "notin", "isnull")}
    if isinstance(base, DateTime | Date):
        return COMPARISONS | PERIODS
    if isinstance(base, String):
        return COMPARISONS | TEXT
    return COMPARISONS


def to_one_path(model: "type[Base]", path: str) -> tuple[tuple[str, ...], str]:
    """`author.name` (or `author__name`) -> (("author",), "name"): a field that each row has at most one of."""
    *hops, name = path.replace("__", ".").split(".")
    owner = model
    for hop in hops:
        fields = fields_of(owner)
        if hop not in fields.relations:
            raise UnknownField(owner.__name__, hop, fields.readable)
        if fields.relations[hop].uselist:
            raise UnknownField(owner.__name__, f"{hop}.{name}", [*fields.columns, *fields.hybrids])
        owner = fields.relations[hop].mapper.class_
    fields = fields_of(owner)
    if name not in fields.columns and name not in fields.hybrids:
        raise UnknownField(owner.__name__, name, [*fields.columns, *fields.hybrids])
    return tuple(hops), name


def relation_path(model: "type[Base]", path: str) -> list["QueryableAttribute[Any]"]:
    """`posts.author` -> the relation attributes along the way."""
    attributes: list[QueryableAttribute[Any]] = []
    owner = model
    for hop in path.replace("__", ".").split("."):
        relations = fields_of(owner).relations
        if hop not in relations:
            raise UnknownField(owner.__name__, hop, relations)
        attributes.append(getattr(owner, hop))
        owner = relations[hop].mapper.class_
    return attributes
