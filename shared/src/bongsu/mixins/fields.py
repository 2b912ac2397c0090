"""The columns, relations and hybrids of a model, read once a class."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Select, Table, UniqueConstraint, select, tuple_
from sqlalchemy import inspect as sqlalchemy_inspect
from sqlalchemy.ext.hybrid import HybridExtensionType, hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapper,
    RelationshipProperty,
    Session,
    joinedload,
    selectinload,
    subqueryload,
)
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.orm.strategy_options import _AbstractLoad

from bongsu.mixins.errors import UnknownField, WrongValue, WrongValueForLookup
from bongsu.mixins.storage import Bounds, bounds_of, exactness, storage
from bongsu.mixins.values import Coerce, Refused, coerced, coercion, is_expression

INITIAL = "bongsu_initial"
"""In a column's `info`: a function of the time that makes the value in `__init__` and in bulk inserts, where it is made
for each row if the column is of the key, else once.

A key made by the column's `default` would come at the flush, and there it costs a statement a row.
"""
Initial = Callable[[datetime], object]
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """The names of a model, as attributes are called."""

    model: type[DeclarativeBase]
    mapper: Mapper[Any]
    table: Table
    columns: dict[str, "Column[Any]"]
    relations: dict[str, "RelationshipProperty[Any]"]
    queries: dict[str, "RelationshipProperty[Any]"]
    """The relations that are queries of their own (`lazy="write_only"`), and not among the others."""
    collections: frozenset[str]
    """The relations to many."""
    hybrids: tuple[str, ...]
    settable: frozenset[str]
    primary_key: tuple[str, ...]
    blank: dict[str, None]
    """The columns that are NULL when nothing sets them: an insert gives objects None for these."""
    initial: tuple[tuple[str, Initial], ...]
    checks: dict[str, Coerce]
    """For each column, the function that makes a value one that it can store."""
    bounds: dict[str, Bounds | None]
    inexact: dict[str, Coerce]
    """For each column with numbers that SQLite may round, the function that refuses one."""
    documents: frozenset[str]
    """The columns whose values may be changed in place: JSON, and types of one's own."""
    key_checks: tuple[tuple[Coerce, str], ...]
    """For each part of the key, the function that makes a value one to compare with, and what it is called."""
    unique_sets: tuple[tuple[str, ...], ...]
    version: str | None
    deleted_at: str | None
    """The column that marks a row as deleted, where the model has one."""
    identity: tuple[str, object] | None
    """The column that names a row's class, and this model's value of it, where models share a table."""

    @property
    def is_joined(self) -> bool:
        """Whether a row of the model is spread over several tables (joined inheritance)."""
        return len(self.mapper.tables) > 1

    def refuse_unknown(self, names: Iterable[str], known: Collection[str] | None = None) -> None:
        """`UnknownField` for a name that is not among the known ones, by default the columns."""
        known = self.columns if known is None else known
        for name in names:
            if name in self.queries and name not in known:
                raise WrongValueForLookup(
                    f"{self.model.__name__}.{name} is lazy={self.queries[name].lazy!r}, so it is neither loaded nor "
                    "set: use its own .select(), .add() and .remove() in a unit"
                )
            if name not in known:
                raise UnknownField(self.model.__name__, name, known)

    def checked(self, name: str, value: object) -> Any:  # noqa: ANN401  # a column's value
        """The value as the column stores it; `WrongValue` where it cannot."""
        return coerced(self.checks[name], value, f"{self.model.__name__}.{name}", WrongValue)

    def check_object(self, values: dict[str, Any], names: Iterable[str]) -> None:
        """Checks an object's values of the names, and replaces them by what their columns store."""
        checks = self.checks
        for name in names:
            check = checks.get(name)
            if check is None or (value := values.get(name)) is None:
                continue
            try:
                stored = check(value)
            except Refused:
                stored = self.checked(name, value)  # SQL, or the error
            if stored is not value:
                values[name] = stored

    def refuse_inexact(self, session: Session, rows: Iterable[Mapping[str, object]]) -> None:
        """`WrongValue` for a number that SQLite would round."""
        if not self.inexact or session.get_bind().dialect.name != "sqlite":
            return
        for row in rows:
            for name in self.inexact.keys() & row.keys():
                if not is_expression(row[name]):
                    coerced(self.inexact[name], row[name], f"{self.model.__name__}.{name}", WrongValue)

    def columns_in(self, table: Table) -> "dict[str, Column[Any]]":
        """The columns of one of the model's tables, by the names of the model."""
        return {
            name: column
            for name in self.columns
            for column in self.mapper.column_attrs[name].columns
            if isinstance(column, Column) and column.table is table
        }

    @property
    def key_columns(self) -> "list[QueryableAttribute[Any]]":
        """The primary key as attributes, which select from all tables of the model."""
        return [getattr(self.model, name) for name in self.primary_key]

    @property
    def readable(self) -> list[str]:
        """Every name that can be filtered by."""
        return [*self.columns, *self.relations, *self.queries, *self.hybrids]


M = TypeVar("M", bound=DeclarativeBase)

NEVER_LOADED = frozenset(("write_only", "dynamic"))
"""How relations are loaded that are queries of their own."""
_EAGER: Mapping[object, Callable[["QueryableAttribute[Any]"], _AbstractLoad]] = {
    "joined": joinedload,
    False: joinedload,
    "selectin": selectinload,
    "subquery": subqueryload,
}
_BATCH_SIZE = 1000  # keys a statement
_known: dict[type, Fields] = {}


def fields_of(model: type[DeclarativeBase]) -> Fields:
    """The fields of a model; `sqlalchemy.exc.NoInspectionAvailable` for a class that is not mapped."""
    fields = _known.get(model)
    if fields is None:
        fields = _known[model] = _read(model)
    return fields


@cache
def joins_collections(model: type[DeclarativeBase]) -> bool:
    """Whether every query of the model joins a relation to many (`lazy="joined"`), which repeats its rows."""
    seen, left = set[type[DeclarativeBase]](), [model]
    while left:
        each = left.pop()
        seen.add(each)
        joined = [one for one in fields_of(each).relations.values() if one.lazy in ("joined", False)]
        if any(relation.uselist for relation in joined):
            return True
        left += [relation.mapper.class_ for relation in joined if relation.mapper.class_ not in seen]
    return False


@cache
def select_rows(model: type[M], but: frozenset[str] = frozenset()) -> Select[M]:
    """Selects every row; `but` are the relations that the caller loads in a way of its own."""
    return select(model).options(*eager_loads(model, but))


@cache
def eager_loads(model: type[DeclarativeBase], but: frozenset[str] = frozenset()) -> tuple[_AbstractLoad, ...]:
    """Options that leave rows marked as deleted out of the relations that come with every row (`lazy="joined"`)."""
    return tuple(_eager_loads(model, but, ()))


def _eager_loads(
    model: type[DeclarativeBase], but: frozenset[str], seen: tuple[type[DeclarativeBase], ...]
) -> Iterator[_AbstractLoad]:
    for name, relation in fields_of(model).relations.items():
        load, target = _EAGER.get(relation.lazy), relation.mapper.class_
        if load is not None and name not in but and target not in seen:
            nested = [*_eager_loads(target, frozenset(), (*seen, target))]
            if nested or fields_of(target).deleted_at is not None:
                yield load(without_deleted(getattr(model, name))).options(*nested)


def without_deleted(attribute: "QueryableAttribute[Any]") -> "QueryableAttribute[Any]":
    """The relation without rows that are marked as deleted."""
    target = attribute.property.mapper.class_
    deleted_at = fields_of(target).deleted_at
    return attribute if deleted_at is None else attribute.and_(getattr(target, deleted_at).is_(None))


def key_of(model: type[DeclarativeBase]) -> Any:  # noqa: ANN401  # a column or a tuple of columns
    """The primary key as SQL."""
    columns = fields_of(model).key_columns
    return columns[0] if len(columns) == 1 else tuple_(*columns)


def keys_among(model: type[DeclarativeBase], keys: Sequence[Key]) -> Iterator[ColumnElement[bool]]:
    """Conditions for the rows with these keys, each for as many as one statement should take."""
    return among(fields_of(model).key_columns, keys)


def among(columns: Sequence[Any], keys: Sequence[Key]) -> Iterator[ColumnElement[bool]]:
    """As `keys_among`, for the columns of a key."""
    for start in range(0, len(keys), _BATCH_SIZE):
        part = keys[start : start + _BATCH_SIZE]
        yield columns[0].in_([key[0] for key in part]) if len(columns) == 1 else tuple_(*columns).in_(part)


def _read(model: type[DeclarativeBase]) -> Fields:
    mapper: Mapper[Any] = sqlalchemy_inspect(model)
    columns = {prop.key: prop.columns[0] for prop in mapper.column_attrs if isinstance(prop.columns[0], Column)}
    computed = [prop.key for prop in mapper.column_attrs if prop.key not in columns]
    relations = {prop.key: prop for prop in mapper.relationships if prop.lazy not in NEVER_LOADED}
    queries = {prop.key: prop for prop in mapper.relationships if prop.lazy in NEVER_LOADED}
    hybrids = {
        name: item
        for name, item in mapper.all_orm_descriptors.items()
        if item.extension_type is HybridExtensionType.HYBRID_PROPERTY and not name.startswith("_")
    }
    names: dict[ColumnElement[Any], str] = {
        column: name for name in columns for column in mapper.column_attrs[name].columns
    }
    table = mapper.local_table
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is mapped to {table!r}, which is not a table")
    version = mapper.version_id_col
    return Fields(
        model=model,
        mapper=mapper,
        table=table,
        columns=columns,
        relations=relations,
        queries=queries,
        collections=frozenset(name for name, relation in relations.items() if relation.uselist),
        hybrids=(*computed, *hybrids),
        settable=frozenset(
            [
                *columns,
                *relations,
                *mapper.synonyms.keys(),
                *mapper.composites.keys(),
                *(
                    name
                    for name, item in hybrids.items()
                    if isinstance(item, hybrid_property) and item.fset is not None
                ),
            ]
        ),
        primary_key=tuple(names[column] for column in mapper.primary_key if column in names),
        blank={name: None for name, column in columns.items() if _starts_as_null(column)},
        initial=tuple((name, column.info[INITIAL]) for name, column in columns.items() if INITIAL in column.info),
        checks={name: storage(column) for name, column in columns.items()},
        bounds={name: bounds_of(column) for name, column in columns.items()},
        inexact={name: check for name, column in columns.items() if (check := exactness(column)) is not None},
        documents=frozenset(name for name, column in columns.items() if coercion(column) is coercion(None)),
        key_checks=tuple(
            (coercion(columns[names[column]]), f"{model.__name__}.{names[column]}")
            for column in mapper.primary_key
            if column in names
        ),
        unique_sets=tuple(
            found for each in mapper.tables if isinstance(each, Table) for found in _unique_sets(each, names)
        ),
        deleted_at="deleted_at" if getattr(model, "__soft_delete__", False) else None,
        version=None if version is None else names.get(version),
        identity=_identity(mapper, names),
    )


def _starts_as_null(column: "Column[Any]") -> bool:
    has_default = column.default is not None or column.server_default is not None or column.computed is not None
    return not (has_default or column.primary_key or INITIAL in column.info)


def _identity(mapper: Mapper[Any], names: Mapping[ColumnElement[Any], str]) -> tuple[str, object] | None:
    column = mapper.polymorphic_on
    if column is None or mapper.polymorphic_identity is None or column not in names:
        return None
    return names[column], mapper.polymorphic_identity


def _unique_sets(table: Table, names: dict[ColumnElement[Any], str]) -> list[tuple[str, ...]]:
    found = [list(constraint.columns) for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    found += [list(index.columns) for index in table.indexes if index.unique]
    return sorted(tuple(names[column] for column in columns if column in names) for columns in found)
