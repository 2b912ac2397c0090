"""The ends of a query that read."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    Select,
    distinct,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType, TypeDecorator

from bongsu.mixins.base import Base
from bongsu.mixins.builder import Builder, M
from bongsu.mixins.errors import LockOutsideUnit, MultipleFound, NotFound, WrongValueForLookup
from bongsu.mixins.fields import fields_of, joins_collections
from bongsu.mixins.instances import loaded_objects, read_again
from bongsu.mixins.paths import Place, to_one_path
from bongsu.mixins.sessions import in_unit, read
from bongsu.mixins.types import IntegerEnum, is_document

T = TypeVar("T")

Measure: TypeAlias = "tuple[str, str] | ColumnElement[Any]"
"""`("sum", "price")`, or SQL such as `func.sum(Book.price)`."""

_COUNT = "count of rows"
_FUNCTIONS = ("count", "count_distinct", "sum", "avg", "min", "max")


class Reads(Builder[M]):
    """The part of `Query` that reads."""

    def all(self) -> Coroutine[Any, Any, list[M]]:
        """Every row."""
        return self._fetch()

    async def first(self) -> M | None:
        """The first row, None without one. Without an order it is any of them."""
        found = await self._fetch(1)
        return found[0] if found else None

    async def one(self) -> M:
        """The only row; `NotFound` without one, `MultipleFound` with several."""
        found = await self.one_or_none()
        if found is None:
            raise NotFound(f"no {self._model.__name__} matches")
        return found

    async def one_or_none(self) -> M | None:
        """The only row, None without one; `MultipleFound` with several."""
        found = await self._fetch(2)
        if len(found) > 1:
            raise MultipleFound(f"several {self._model.__name__} match where one was asked for")
        return found[0] if found else None

    async def count(self) -> int:
        """How many rows there are."""
        statement = self._count_statement()
        return await self._read(lambda session: session.scalars(statement).one())

    async def exists(self) -> bool:
        """Whether there is a row."""
        if self._limit == 0:
            return False
        statement = select(literal(1)).select_from(self._model).where(*self._conditions()).limit(1)
        if self._offset:
            statement = statement.offset(self._offset)
        return await self._read(lambda session: session.scalars(statement).first()) is not None

    async def values(self, *names: str) -> list[dict[str, Any]]:
        """The named fields of every row, without objects: `values("id", "author.name")` (keys as written)."""
        rows = await self._rows(names)
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def values_list(self, *names: str) -> list[tuple[Any, ...]]:
        """As `values`, a tuple a row."""
        return await self._rows(names)

    async def pluck(self, name: str) -> list[Any]:
        """One field of every row."""
        return [row[0] for row in await self._rows((name,))]

    async def aggregate(self, **measures: Measure) -> dict[str, Any]:
        """`aggregate(n=("count", "id"), total=("sum", "amount"))`: one value a measure, over the rows of the query.

        Functions: count, count_distinct, sum, avg, min, max; or an SQL expression. After `distinct()` each value
        counts once. The sum of no rows is None; that of integers is an int, their average a float.
        """
        columns = self._measures(measures)
        statement = select(*columns).select_from(self._model).where(*self._bounded_conditions())
        row = await self._read(lambda session: session.execute(statement).one())
        return dict(zip(measures, map(_as_number, measures.values(), columns, row), strict=True))

    async def aggregate_by(self, *names: str, **measures: Measure) -> list[dict[str, Any]]:
        """As `aggregate`, for each set of values of the fields: `aggregate_by("author.name", n=("count", "id"))`."""
        entities: dict[tuple[str, ...], Any] = {(): self._model}
        if measures.keys() & set(names):
            raise WrongValueForLookup(
                f"a measure needs another name than a field: {', '.join(measures.keys() & set(names))}"
            )
        paths = [self._column_path(name) for name in names]
        fields = [place.read(self._entity(place.hops, entities)) for place in paths]
        labelled = [field.label(name) for field, name in zip(fields, names, strict=True)]
        columns = self._measures(measures)
        statement = select(*labelled, *columns).select_from(self._model).where(*self._bounded_conditions())
        statement = self._joined(statement, entities).group_by(*fields).order_by(*fields)
        rows = await self._read(lambda session: session.execute(statement).all())
        width = len(names)
        return [
            dict(
                zip(
                    (*names, *measures),
                    (*row[:width], *map(_as_number, measures.values(), columns, row[width:])),
                    strict=True,
                )
            )
            for row in rows
        ]

    async def count_by(self, name: str) -> dict[Any, int]:
        """How many rows each value of a field has."""
        column = fields_of(self._model).columns.get(name)
        if column is not None and is_document(column.type):
            raise WrongValueForLookup(f"count_by takes no JSON document ({name!r})")
        counted = await self.aggregate_by(name, **{_COUNT: func.count()})
        return {row[name]: row[_COUNT] for row in counted}

    async def _rows(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        if not names:
            raise WrongValueForLookup("name the fields to read")
        paths = [to_one_path(self._model, name) for name in names]
        if self._distinct and any(
            isinstance(term.of, Place) and (term.of.path or term.of not in paths) for term in self._orders
        ):
            raise WrongValueForLookup("distinct values are in the order of whole fields that are read: name these too")
        statement = self._locked(self._ordered(select(self._model).where(*self._conditions()), paths))
        return await self._read(lambda session: [tuple(row) for row in session.execute(statement)])

    def _fetch(self, most: int | None = None) -> Coroutine[Any, Any, list[M]]:
        query = self if most is None else self.limit(most if self._limit is None else min(most, self._limit))
        statement, values = query.with_parameters()
        if self._lock is not None:
            return self._read(lambda session: list(read_again(session, self._known_in(session), statement)))
        if self._is_joined or joins_collections(self._model):  # a JOIN repeats the row for each related one
            return self._read(lambda session: list(session.scalars(statement, values).unique().all()))
        return read(self._model, self._session, lambda session: list(session.scalars(statement, values).all()))

    def _known_in(self, session: Session) -> Sequence[Base]:
        """The objects of the session that the query may read again; related ones too, where it loads relations."""
        if self._loads:
            return loaded_objects(session, Base)
        return loaded_objects(session, self._model, self._named_keys())

    def _read(self, work: Callable[[Session], T]) -> Coroutine[Any, Any, T]:
        if self._lock is not None and not in_unit(self._model, self._session):
            raise LockOutsideUnit("rows stay locked until their unit of work ends: open one (`async with db.unit():`)")
        return read(self._model, self._session, work)

    def _count_statement(self) -> Select[int]:
        if self._limit is None and self._offset is None and not self._distinct:
            return select(func.count()).select_from(self._model).where(*self._conditions())
        rows = self._ordered(select(*fields_of(self._model).key_columns).where(*self._conditions())).subquery()
        return select(func.count()).select_from(rows)

    def _summable(self, column: Any, field: str) -> Any:  # noqa: ANN401  # SQL of any type
        kind = getattr(column, "type", None)
        base = kind.impl if isinstance(kind, TypeDecorator) else kind
        # A sum of booleans counts those that are true; one of members is no member.
        if isinstance(base, Boolean) or isinstance(kind, IntegerEnum):
            return type_coerce(column, Integer)
        if not isinstance(base, Integer | Numeric | Float | NullType):
            raise WrongValueForLookup(f"{self._model.__name__}.{field} is no number: it has no sum and no average")
        return column

    def _column_path(self, name: str) -> Place:
        place = to_one_path(self._model, name)
        if place.path:  # 1 and 1.0, or true and 1, would be one group here and two there
            raise WrongValueForLookup(f"aggregates are of whole columns, not of a part of a document ({name!r})")
        return place

    def _measures(self, measures: Mapping[str, Measure]) -> list[ColumnElement[Any]]:
        columns: list[ColumnElement[Any]] = []
        for name, measure in measures.items():
            if isinstance(measure, ColumnElement):
                columns.append(measure.label(name))
                continue
            given: object = measure  # a caller without a type checker gives anything
            function, field = given if isinstance(given, tuple) and len(given) == 2 else ("", "")
            if function not in _FUNCTIONS:
                raise WrongValueForLookup(
                    f'aggregate takes SQL or ("{_FUNCTIONS[0]}", field); functions: {", ".join(_FUNCTIONS)}; '
                    f"not {measure!r}"
                )
            place = self._column_path(field)
            if place.hops:
                raise WrongValueForLookup(f"aggregate measures {self._model.__name__}'s own fields, not {field!r}")
            column = place.read(self._model)
            if function in ("sum", "avg"):
                column = self._summable(column, field)
            is_distinct = self._distinct or function == "count_distinct"
            value = distinct(column) if is_distinct and function not in ("min", "max") else column
            columns.append(getattr(func, function.removesuffix("_distinct"))(value).label(name))
        if not columns:
            raise WrongValueForLookup("name at least one measure")
        return columns


def _as_number(measure: Measure, column: ColumnElement[Any], value: Any) -> Any:  # noqa: ANN401  # of any column
    """Sums of integers as int, averages as the field's own kind of number: MySQL computes both as DECIMAL."""
    if isinstance(value, Decimal) and isinstance(column.type, Integer):
        return int(value)
    if value is None or not isinstance(measure, tuple) or measure[0] != "avg":
        return value
    (field,) = column.element.clauses  # avg(field) as its name
    return Decimal(str(value)) if isinstance(field.type, Numeric) else float(value)
