"""The chain of a query: immutable, each step a new query, nothing sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Self, TypeAlias, TypeVar

from sqlalchemy import BinaryExpression, BindParameter, ColumnElement, Integer, Select, asc, bindparam, desc, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload, selectinload
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import True_

from bongsu.mixins.base import Base
from bongsu.mixins.errors import WrongValueForLookup
from bongsu.mixins.fields import Key, fields_of, key_of, select_rows, without_deleted
from bongsu.mixins.json_paths import JsonPart, json_order
from bongsu.mixins.paths import Comparison, Place, comparisons, planned, relation_path, to_one_path
from bongsu.mixins.q import Clause, Q, Where, compile_lookups, negated
from bongsu.mixins.text import TextBytes

M = TypeVar("M", bound=Base)
OrderTerm: TypeAlias = "str | ColumnElement[Any] | QueryableAttribute[Any]"
"""`"name"`, `"-name"`, `"author.name"`, `Model.name` or an SQL expression such as `Model.name.desc()`."""


MOST_ROWS = (1 << 63) - 1  # what drivers can send
_LIMIT = bindparam("limit", type_=Integer)


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """One term of an order: a field of the model or of a to-one relation, a part of one, or an SQL expression."""

    of: Place | ColumnElement[Any]
    descending: bool = False

    @property
    def own_name(self) -> str | None:
        """The name of the field, where it is a whole one of the model itself."""
        return self.of.name if isinstance(self.of, Place) and not self.of.hops and not self.of.path else None


@dataclass(frozen=True, slots=True)
class Lock:
    """A row lock, as `SELECT … FOR UPDATE` takes it."""

    skip_locked: bool
    nowait: bool
    read: bool


class Builder(Generic[M]):
    """The part of `Query` that builds the statement."""

    _where: tuple[ColumnElement[bool] | Comparison, ...] = ()
    _orders: tuple[Order, ...] = ()
    _loads: tuple[tuple[str, ORMOption], ...] = ()
    _limit: int | None = None
    _offset: int | None = None
    _lock: Lock | None = None
    _session: AsyncSession | None = None
    _deleted: bool | None = False  # False: rows not deleted; True: deleted ones; None: both
    _distinct = False
    _is_joined = False
    _is_unfiltered = False

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def _with(self, **changes: object) -> Self:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, **changes)
        return made

    def filter_by(self, *where: Where, **lookups: object) -> Self:
        """Rows for which every condition holds: `filter_by(Q(…) | Q(…), email__icontains="kim")`."""
        plain = None if where else comparisons(self._model, lookups)
        if plain is not None:
            return self._with(_where=(*self._where, *plain))
        return self._narrowed(self._clauses(where, lookups))

    def exclude(self, *where: Where, **lookups: object) -> Self:
        """All rows but those that `filter_by` with the same conditions gives."""
        clause = Q(*where, **lookups).compile(self._model)
        return self if clause is None else self._narrowed([negated(clause)])

    def order_by(self, *terms: OrderTerm) -> Self:
        """`order_by("-created_at", "author.name")`: `-` is descending; replaces nothing, adds to the order so far."""
        return self._with(_orders=(*self._orders, *[self._order(term) for term in terms]))

    def load(self, *paths: str, joined: bool = False) -> Self:
        """Loads relations with the rows, by one statement more a path (`load("posts.author")`) or a JOIN (`joined`)."""
        loads = (*self._loads, *(self._load(path, joined=joined) for path in paths))
        return self._with(_loads=loads, _is_joined=self._is_joined or joined)

    def limit(self, count: int) -> Self:
        """At most `count` rows."""
        return self._with(_limit=as_count(count, "limit"))

    def offset(self, count: int) -> Self:
        """Leaves out the first `count` rows."""
        return self._with(_offset=as_count(count, "offset"))

    def distinct(self) -> Self:
        """Every row, or set of values, once."""
        return self._with(_distinct=True)

    def lock(self, *, skip_locked: bool = False, nowait: bool = False, read: bool = False) -> Self:
        """Locks the rows until the unit of work ends; needs one. On SQLite a unit that writes is alone anyway.

        MySQL locks what it reads to find and sort the rows, too: with `skip_locked` and a limit, give an order and
        filters that an index serves, or claim rows by `limit(…).update(…)`, which locks no others.

        Objects that the unit has loaded take the rows' values as of the lock; what they have unsaved is written first.
        """
        return self._with(_lock=Lock(skip_locked, nowait, read))

    def using(self, session: AsyncSession | None) -> Self:
        """Uses this session instead of the ambient one."""
        return self._with(_session=session)

    def unfiltered(self) -> Self:
        """Says that an update or delete of all rows is meant."""
        return self._with(_is_unfiltered=True)

    def with_deleted(self) -> Self:
        """Includes rows that are marked as deleted."""
        return self._with(_deleted=None)

    def only_deleted(self) -> Self:
        """Only rows that are marked as deleted."""
        return self._with(_deleted=True)

    @property
    def statement(self) -> Select[M]:
        """The query as a plain `Select`."""
        rows = select_rows(self._model, frozenset([name for name, _ in self._loads]))
        statement = self._ordered(rows.where(*self._conditions()))
        if self._loads:
            statement = statement.options(*[option for _, option in self._loads])
        return self._locked(statement)

    def with_parameters(self) -> tuple[Select[M], dict[str, object] | None]:
        """The query as a `Select` and its parameters: one that queries of the same shape share, where it can be."""
        where, limit = (
            [each for each in self._where if type(each) is Comparison],
            None if self._limit is None else _LIMIT,
        )
        is_plain = len(where) == len(self._where) and self._offset is None and self._lock is None and not self._loads
        if not is_plain or not all(isinstance(term.of, Place) for term in self._orders):
            return self.statement, None
        shape = (self._model, self._deleted, limit, *self._orders, *[each.shape for each in where])
        found = planned(shape, where, lambda clauses: self._with(_where=tuple(clauses), _limit=limit).statement)
        if found is None:
            return self.statement, None
        statement, values = found
        return statement, values if limit is None else {**values, limit.key: self._limit}

    def __bool__(self) -> bool:
        raise TypeError("a query is not its result: await .exists(), .first() or .all()")

    def _conditions(self) -> tuple[ColumnElement[bool], ...]:
        deleted_at = fields_of(self._model).deleted_at
        if deleted_at is None or self._deleted is None:
            return self._filters()
        column = getattr(self._model, deleted_at)
        return (*self._filters(), column.is_not(None) if self._deleted else column.is_(None))

    def _filters(self) -> tuple[ColumnElement[bool], ...]:
        return tuple([each.clause if isinstance(each, Comparison) else each for each in self._where])

    def _bounded_conditions(self) -> tuple[ColumnElement[bool], ...]:
        """The conditions, the bounds included: those of a derived table, as MySQL takes no LIMIT in IN."""
        if self._limit is None and self._offset is None:
            return self._conditions()
        fields = fields_of(self._model)
        rows = self._ordered(select(*fields.key_columns).where(*self._conditions())).subquery()
        return (key_of(self._model).in_(select(*rows.c)),)

    def _named_keys(self) -> list[Key] | None:
        """The keys that the query names (`id=…`, `id__in=[…]`): it is about no other rows. None where it names none."""
        columns = self._model.__mapper__.primary_key
        for condition in self._filters() if len(columns) == 1 else ():
            if not isinstance(condition, BinaryExpression) or not isinstance(condition.right, BindParameter):
                continue
            if condition.operator in (operators.eq, operators.in_op) and columns[0].compare(condition.left):
                value: Any = condition.right.value
                return [(value,)] if condition.operator is operators.eq else [(one,) for one in value]
        return None

    def _ordered(self, statement: Select[Any], places: Sequence[Place] = ()) -> Select[Any]:
        """Adds the order, the bounds, and the columns of `places`, joining what these are read from."""
        entities: dict[tuple[str, ...], Any] = {(): self._model}
        if self._orders:
            statement = statement.order_by(*[clause for term in self._orders for clause in self._sort(term, entities)])
        if places:
            columns = (place.read(self._entity(place.hops, entities)).label(place.label) for place in places)
            statement = statement.with_only_columns(*columns, maintain_column_froms=True)
        statement = self._joined(statement, entities)
        if self._limit is not None:
            statement = statement.limit(self._limit)
        if self._offset is not None:
            statement = statement.offset(self._offset)
        # Rows with their key are distinct already, and MySQL sorts distinct rows by what they hold only.
        return statement.distinct() if self._distinct and places else statement

    def _joined(self, statement: Select[Any], entities: dict[tuple[str, ...], Any]) -> Select[Any]:
        """Joins the related entities that are read from, without rows that are marked as deleted."""
        for hops, entity in entities.items():
            if hops:
                relation = getattr(entities[hops[:-1]], hops[-1]).of_type(entity)
                deleted_at = fields_of(relation.property.mapper.class_).deleted_at
                if deleted_at is not None:
                    relation = relation.and_(getattr(entity, deleted_at).is_(None))
                statement = statement.outerjoin(relation)
        return statement

    def _locked(self, statement: Select[Any]) -> Select[Any]:
        lock = self._lock
        if lock is None:
            return statement
        # A row that the session knows is read again: SQLAlchemy would keep the values from before the lock.
        return statement.with_for_update(
            skip_locked=lock.skip_locked, nowait=lock.nowait, read=lock.read, of=self._model
        ).execution_options(populate_existing=True)

    def _sort(self, term: Order, entities: dict[tuple[str, ...], Any]) -> Sequence[ColumnElement[Any]]:
        if not isinstance(term.of, Place):
            return (term.of,)
        if not term.of.hops:
            return _own_terms(self._model, term.of, descending=term.descending)
        return _terms(self._entity(term.of.hops, entities), term.of, descending=term.descending)

    def _entity(self, hops: tuple[str, ...], entities: dict[tuple[str, ...], Any]) -> Any:  # noqa: ANN401  # a model or an alias
        if hops not in entities:
            before = self._entity(hops[:-1], entities)
            entities[hops] = aliased(getattr(before, hops[-1]).property.mapper.class_)
        return entities[hops]

    def _clauses(self, where: tuple[Where, ...], lookups: dict[str, object]) -> list[Clause]:
        if not where:
            return compile_lookups(self._model, None, lookups)
        clause = Q(*where, **lookups).compile(self._model)
        return [] if clause is None else [clause]

    def _narrowed(self, clauses: list[Clause]) -> Self:
        # A condition that is always true ("not in an empty list") narrows nothing, and must not pass for a filter.
        return self._with(_where=(*self._where, *[clause for clause, _ in clauses if not isinstance(clause, True_)]))

    def _order(self, term: OrderTerm) -> Order:
        if isinstance(term, str):
            return _named_order(self._model, term)
        if isinstance(term, QueryableAttribute) and term.class_ in self._model.__mro__:
            return _named_order(self._model, term.key)
        if not isinstance(term, ColumnElement):
            raise WrongValueForLookup(f"order_by takes field names or SQL expressions, not {term!r}")
        return Order(term)

    def _load(self, path: str, *, joined: bool) -> tuple[str, ORMOption]:
        first, *others = [without_deleted(attribute) for attribute in relation_path(self._model, path)]
        option = joinedload(first) if joined else selectinload(first)
        for attribute in others:
            option = option.joinedload(attribute) if joined else option.selectinload(attribute)
        return first.key, option

    def __clause_element__(self) -> Select[Any]:
        """The keys of the rows, for a lookup that takes a list: `filter_by(author_id__in=Author.filter_by(…))`."""
        query = self._with(_loads=(), _lock=None)
        keys = query._ordered(select(*fields_of(self._model).key_columns).where(*query._conditions()))  # noqa: SLF001  # its own
        return select(*keys.subquery().c)  # a derived table: MySQL takes no LIMIT in IN


def _terms(entity: Any, place: Place, *, descending: bool) -> tuple[ColumnElement[Any], ...]:  # noqa: ANN401  # a model or an alias
    field = place.read(entity)
    if place.is_native_enum:
        field = TextBytes(field)
    terms = json_order(field) if isinstance(field, JsonPart) else (field,)
    return tuple(desc(each) if descending else asc(each) for each in terms)


_own_terms = lru_cache(1024)(_terms)
"""Built once: building its SQL is a third of the cost of a short query."""


@lru_cache(1024)
def own_order(name: str, *, descending: bool) -> Order:
    """By a field of the model itself. One object for each: the shape of a query has it."""
    return Order(Place((), name), descending)


@lru_cache(1024)
def _named_order(model: type[Base], term: str) -> Order:
    return Order(to_one_path(model, term.removeprefix("-")), term.startswith("-"))


def as_count(value: object, what: str, lowest: int = 0) -> int:
    """The number of rows that a step takes, at most what drivers can send."""
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise WrongValueForLookup(f"{what} takes an int of {lowest} or more, not {value!r}")
    return min(value, MOST_ROWS)
