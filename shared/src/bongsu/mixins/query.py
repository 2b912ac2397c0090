"""`Query[M]`, what `Model.filter_by(…)` gives, and its pages: numbered, or by a cursor at the same cost however far."""

import base64
import binascii
import datetime as dt
import enum
import json
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, Self

from sqlalchemy import ColumnElement, Double, Enum, Float, and_, asc, bindparam, cast, desc, false, or_

from bongsu.mixins.builder import M, Order, as_count, own_order
from bongsu.mixins.errors import WrongCursor, WrongValueForLookup
from bongsu.mixins.fields import fields_of
from bongsu.mixins.reads import Reads
from bongsu.mixins.text import TextBytes, TextStart
from bongsu.mixins.types import IntegerEnum, has_native_enum, is_sorted_by_start
from bongsu.mixins.values import coerced, coercion
from bongsu.mixins.writes import Writes

_MOST_BITS = 64  # of an integer that a row can have


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """One numbered page (from 1) of `size` rows, and how many rows there are in all."""

    items: list[M]
    total: int
    number: int
    size: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return -(-self.total // self.size)


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[M]):
    """Some rows, and the cursor of the rows after them; `next` is None at the end."""

    items: list[M]
    next: str | None


@dataclass(frozen=True, slots=True)
class _Key:
    """One column of the order that pages follow."""

    name: str
    attribute: Any
    column: Any
    """The attribute as it sorts."""
    descending: bool
    nullable: bool

    @property
    def is_long(self) -> bool:
        """Whether MySQL sorts by the start of the column only."""
        return type(self.column) is TextStart

    @property
    def is_rounded(self) -> bool:
        """Whether rows give another number than the column compares: MySQL shows six digits of a FLOAT."""
        return isinstance(self.attribute.type, Float) and not isinstance(self.attribute.type, Double)


class Query(Reads[M], Writes[M]):
    """A query on `M`: build it step by step (each step is a new query), end it with an awaited method.

    `filter_by exclude order_by load limit offset distinct lock using with_deleted only_deleted unfiltered`, then
    `first one one_or_none all count exists page after values values_list pluck aggregate aggregate_by count_by` or
    `update delete`, or `async for row in query.stream()`.
    """

    def __aiter__(self) -> AsyncIterator[M]:
        """`async for row in query:`, as `stream()`."""
        return self.stream()

    async def page(self, number: int, size: int) -> Page[M]:
        """Page `number` (from 1), by two statements. Give an order; without one it is the key's."""
        number, size = as_count(number, "a page's number", 1), as_count(size, "a page's size", 1)
        total, start = await self.count(), (number - 1) * size
        count = size if self._limit is None else max(0, min(size, self._limit - start))
        rows = self._in_total_order().limit(count).offset((self._offset or 0) + start)
        return Page(await rows.all(), total, number, size)

    async def after(self, cursor: str | None, size: int) -> CursorPage[M]:
        """The `size` rows after the cursor (None: the first ones), in the query's order, then the key's.

        Costs the same on every page, given an index on the order; rows that come or go meanwhile shift nothing. The
        order is of the model's own columns; the query has no limit and no offset. `WrongCursor` for a cursor of another
        order, or for any other text.
        """
        size = as_count(size, "a page's size", 1)
        if self._is_bounded():  # each page would be bounded again
            raise WrongValueForLookup("cursor pages take no limit and no offset: the size is each page's limit")
        keys = self._keys()
        rows = self._with(_orders=tuple(map(_as_sorted, self._total_order(), keys)))
        if cursor is not None:
            rows = rows.filter_by(self._after(keys, cursor))
        rounded = [key for key in keys if key.is_rounded]
        if rounded:
            items, exact = await rows.limit(size + 1)._with_numbers(rounded)  # noqa: SLF001  # its own
        else:
            items, exact = await rows.limit(size + 1).all(), []
        if len(items) <= size:
            return CursorPage(items, None)
        last, numbers = items[size - 1], exact[size - 1] if exact else {}
        values = [numbers.get(key.name, _named(key, getattr(last, key.name))) for key in keys]
        return CursorPage(items[:size], _encode_cursor(self._signature(keys), values))

    async def stream(self, batch: int = 500) -> AsyncIterator[M]:
        """Every row, `batch` rows a statement, in the query's order: `async for row in query.stream():`.

        No connection or transaction is held in between, so it is safe in a streaming response; it is no snapshot.
        """
        if self._offset is not None:
            raise WrongValueForLookup("a stream takes no offset")
        left, cursor, rows = self._limit, None, self._with(_limit=None)
        while left is None or left > 0:
            size = batch if left is None else min(batch, left)
            found = await rows.after(cursor, size)
            for item in found.items:
                yield item
            left, cursor = None if left is None else left - len(found.items), found.next
            if cursor is None:
                return

    def _in_total_order(self) -> Self:
        return self._with(_orders=self._total_order())

    def _total_order(self) -> tuple[Order, ...]:
        """The query's order with the key at its end, so that no two rows tie."""
        ordered = {term.own_name for term in self._orders}
        descending = bool(self._orders) and self._orders[-1].descending
        missing = [name for name in fields_of(self._model).primary_key if name not in ordered]
        return (*self._orders, *(own_order(name, descending=descending) for name in missing))

    def _keys(self) -> list[_Key]:
        columns, keys = fields_of(self._model).columns, list[_Key]()
        for term in self._total_order():
            name = term.own_name
            if name is None or name not in columns:
                raise WrongValueForLookup(
                    f"cursor pages and streams are ordered by {self._model.__name__}'s own columns only"
                )
            attribute, nullable = getattr(self._model, name), bool(columns[name].nullable)
            column = TextBytes(attribute) if has_native_enum(columns[name]) else attribute
            if is_sorted_by_start(columns[name]):
                column = TextStart(attribute)
            keys.append(_Key(name, attribute, column, term.descending, nullable))
        return keys

    async def _with_numbers(self, keys: Sequence[_Key]) -> tuple[list[M], list[dict[str, float]]]:
        """Every row, and its numbers as the database compares them."""
        if self._lock is not None:
            raise WrongValueForLookup("cursor pages that follow a FLOAT lock no rows: use Double, or no lock()")
        columns = [cast(key.attribute, Double).label(f"exact_{key.name}") for key in keys]
        statement = self.statement.add_columns(*columns)
        rows = await self._read(lambda session: session.execute(statement).unique().all())
        names = [key.name for key in keys]
        return [row[0] for row in rows], [dict(zip(names, row[1:], strict=True)) for row in rows]

    def _signature(self, keys: Sequence[_Key]) -> str:
        return f"{self._model.__name__}:{','.join('-' * key.descending + key.name for key in keys)}"

    def _after(self, keys: Sequence[_Key], cursor: str) -> ColumnElement[bool]:
        values, terms = _decode_cursor(self._signature(keys), cursor, len(keys)), list[tuple[_Key, object]]()
        columns = fields_of(self._model).columns
        if any(
            not key.nullable if value is None else isinstance(value, int) and value.bit_length() > _MOST_BITS
            for key, value in zip(keys, values, strict=True)
        ):
            raise WrongCursor("this is no cursor: use the one that came with the page before")
        try:
            for key, value in zip(keys, values, strict=True):
                stored = coerced(coercion(columns[key.name]), value, key.name)
                bound: Any = None if stored is None else bindparam(None, stored, type_=key.attribute.type)
                if bound is not None and key.is_long:
                    bound = TextStart(bound)
                terms.append((key, bound))
        except WrongValueForLookup as error:
            raise WrongCursor("this is no cursor: use the one that came with the page before") from error
        return _later(terms)


def _as_sorted(order: Order, key: _Key) -> Order:
    if not key.is_long:
        return order
    return Order(desc(key.column) if order.descending else asc(key.column))


def _named(key: _Key, value: object) -> object:
    """A member by its name, where its column knows members by that: it may be the value of another member."""
    if isinstance(value, enum.Enum) and isinstance(key.attribute.type, Enum | IntegerEnum):
        return value.name if value.name in type(value).__members__ else value
    return value


def _later(terms: Sequence[tuple[_Key, object]]) -> ColumnElement[bool]:
    """The rows after these values. NULL is the smallest value, on SQLite and on MySQL."""
    (key, value), *rest = terms
    column, strictly = key.column, _strictly_later(key, value)
    if not rest:
        return strictly
    same = column.is_(None) if value is None else column == value
    later = or_(strictly, and_(same, _later(rest)))
    if value is None or (key.nullable and key.descending):
        return later
    # Implied by the rest, but a range that an index can start from: databases see none in an OR.
    return and_(column <= value if key.descending else column >= value, later)


def _strictly_later(key: _Key, value: object) -> ColumnElement[bool]:
    column = key.column
    condition: ColumnElement[bool]
    if value is None:
        condition = false() if key.descending else column.is_not(None)
    elif key.descending:
        condition = or_(column < value, column.is_(None)) if key.nullable else column < value
    else:
        condition = column > value
    return condition


def _encode_cursor(order: str, values: Sequence[object]) -> str:
    """The values that a page's last row has in its order, bound to that order. Text for URLs."""
    document = [_stamp(order), *(_tagged(value) for value in values)]
    packed = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _decode_cursor(order: str, cursor: str, length: int) -> list[object]:
    """The values of a cursor made for the same order; `WrongCursor` for any other text."""
    try:
        document = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(document, list) or len(document) != length + 1 or document[0] != _stamp(order):
            raise WrongCursor("this cursor is of another list or another order: start again without one")
        return [_untagged(value) for value in document[1:]]
    except (binascii.Error, ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        raise WrongCursor("this is no cursor: use the one that came with the page before") from error


def _stamp(order: str) -> int:
    return zlib.crc32(order.encode())


def _tagged(value: object) -> object:  # noqa: PLR0911  # one return a type
    match value:
        case enum.Enum():
            return _tagged(value.value)
        case None | bool() | int() | float() | str():
            return value
        case dt.datetime():
            return {"t": value.isoformat()}
        case dt.date():
            return {"d": value.isoformat()}
        case dt.time():
            return {"h": value.isoformat()}
        case dt.timedelta():
            return {"us": value // dt.timedelta(microseconds=1)}
        case uuid.UUID():
            return {"u": value.hex}
        case Decimal():
            return {"n": str(value)}
        case bytes():
            return {"b": value.hex()}
        case _:
            raise WrongValueForLookup(f"a {type(value).__name__} cannot be part of a cursor: order by another field")


def _untagged(value: object) -> object:
    if not isinstance(value, dict):
        return value
    ((tag, text),) = value.items()
    return _READERS[tag](text)


_READERS: dict[str, Callable[[Any], object]] = {
    "t": dt.datetime.fromisoformat,
    "d": dt.date.fromisoformat,
    "h": dt.time.fromisoformat,
    "us": lambda number: dt.timedelta(microseconds=number),
    "u": uuid.UUID,
    "n": Decimal,
    "b": bytes.fromhex,
}
