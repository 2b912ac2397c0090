"""Checks a value before the database gets to see it: what does not fit a column is an error, never a silent cast."""

import datetime as dt
import enum
import json
import math
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    ClauseElement,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine

from bongsu.mixins.errors import WrongValue, WrongValueForLookup
from bongsu.mixins.types import AsciiKey, ExactString, IntegerEnum, Json, UTCDateTime, UUIDKey

Coerce = Callable[[object], object]
"""Returns the value that the column takes; `Refused` says what it would take."""


_MOST_BYTES = (1 << 16) - 1  # of MySQL's TEXT and BLOB
_MOST_SINGLE = 3.4028234e38  # of MySQL's FLOAT
_PLAIN = frozenset((str, int, bool, float, bytes, Decimal, uuid.UUID, dt.datetime, dt.date, list, tuple))


class Refused(Exception):  # never leaves the library
    """The kind of value that a column would take instead."""


def is_expression(value: object) -> bool:
    """Whether the value is SQL (a column, a function), which the database itself judges."""
    if type(value) in _PLAIN:  # nearly every value
        return False
    return isinstance(value, ClauseElement) or hasattr(value, "__clause_element__")


@lru_cache(1024)
def coercion(column: "Column[Any] | None") -> Coerce:
    """The function that turns a value into one to compare with this column; any value fits an unknown type."""
    return _anything if column is None else _coercion_of(column.type)


def storage(column: "Column[Any]") -> Coerce:
    """The function that turns a value into one that this column can store: `coercion`, within the column's bounds."""
    if column.computed is not None:
        return _computed
    coerce, kind = _coercion_of(column.type), column.type
    base = kind.impl if isinstance(kind, TypeDecorator) else kind
    bounds, has_variants = bounds_of(column), bool(base._variant_mapping)  # noqa: SLF001  # as below
    if bounds is not None:
        is_counted_in_bytes = isinstance(base, Text) and base.length is None
        return (
            _bounded_integer(bounds)
            if bounds.kind is int
            else _bounded_text(coerce, bounds.highest, is_counted_in_bytes)
        )
    if isinstance(kind, Json | JSON):
        return _document_of(kind)
    length = None if has_variants else getattr(base, "length", None)
    if coerce is _ascii:
        return _bounded_text(coerce, length or sys.maxsize)
    if coerce is _bytes:
        return _bounded_bytes(length or (sys.maxsize if has_variants else _MOST_BYTES))
    if coerce in (_datetime, _time) and not has_variants and not getattr(base, "fsp", None):
        coerce = _whole_seconds(coerce)
    return _storable_number(base, has_variants) if coerce is _any_number else coerce


def _storable_number(base: object, has_variants: bool) -> Coerce:
    if isinstance(base, Float):
        is_single = not (has_variants or isinstance(base, Double) or (base.precision or 0) > 24)
        return _bounded_number(None, None, _MOST_SINGLE if is_single else None)
    if isinstance(base, Numeric) and not has_variants:
        precision, scale = (base.precision or 10), (base.scale or 0)  # as MySQL has it
        return _bounded_number(precision - scale, scale)
    return _bounded_number(None, None)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The integers, or the lengths of text, that a column can store."""

    kind: type[int] | type[str]
    lowest: int
    highest: int

    def fit_all(self, values: Sequence[Any]) -> bool:
        """Whether all values are stored as they are; False where each is to be checked."""
        if {*map(type, values)} != {self.kind}:
            return False
        sizes = values if self.kind is int else [*map(len, values)]
        is_within = self.lowest <= min(sizes) and max(sizes) <= self.highest
        return is_within and (self.kind is int or "".join(values).isascii())


def bounds_of(column: "Column[Any]") -> Bounds | None:
    """The bounds of a column of integers or text, None for others."""
    coerce, kind = _coercion_of(column.type), column.type
    base = kind.impl if isinstance(kind, TypeDecorator) else kind
    has_variants = bool(base._variant_mapping)  # noqa: SLF001  # each database has a column type of its own, and bounds
    if column.computed is not None:
        return None
    if coerce in (_any_integer, _any_unsigned):
        bits = 64 if has_variants else next(bits for known, bits in _INTEGER_BITS if isinstance(base, known))
        is_unsigned = not has_variants and _is_unsigned(base)
        return (
            Bounds(int, 0, (1 << bits) - 1) if is_unsigned else Bounds(int, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        )
    if coerce is plain_text and not has_variants:
        is_text = isinstance(base, Text)
        return Bounds(str, 0, getattr(base, "length", None) or (_MOST_BYTES if is_text else sys.maxsize))
    return None


def coerced(coerce: Coerce, value: object, what: str, error: type[WrongValueForLookup] = WrongValueForLookup) -> object:
    """The value as its column takes it, `error` otherwise."""
    if value is None:
        return None
    try:
        return coerce(value)
    except Refused as refused:
        if is_expression(value):
            return value
        fitting, *given = refused.args
        if not given:  # a row may hold secrets
            given = [type(value).__name__ if issubclass(error, WrongValue) else _shown(value)]
        raise error(f"{what} takes {fitting}, not {given[0]}") from None


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:60] + '…'} ({type(value).__name__})"


def _coercion_of(kind: TypeEngine[Any]) -> Coerce:
    if isinstance(kind, Enum):
        return _member_of(kind.enum_class, kind.enums)
    if isinstance(kind, IntegerEnum):
        return _member_of(kind.members, [])
    if isinstance(kind, Uuid) and not kind.as_uuid:
        return _uuid_text
    if isinstance(kind, BigInteger) and _is_unsigned(kind):
        return _any_unsigned
    for known, coerce in _BY_TYPE:
        if isinstance(kind, known):
            return coerce
    return _anything


def _anything(value: object) -> object:
    return value


def _computed(value: object) -> object:
    raise Refused("no value, as the database computes it", type(value).__name__)


def plain_text(value: object) -> object:
    if not isinstance(value, str):
        raise Refused("a str")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("text without lone surrogates") from None
    return value


def _bounded_text(coerce: Coerce, length: int, in_bytes: bool = False) -> Coerce:
    plain_limit = length if coerce is plain_text else -1

    def check(value: object) -> object:
        if type(value) is str and len(value) <= plain_limit and value.isascii():  # nearly every value
            return value
        if isinstance(value, str) and len(value) > length:
            raise Refused(f"at most {length} {'bytes' if in_bytes else 'characters'}", str(len(value)))
        stored = coerce(value)
        if in_bytes and isinstance(value, str) and (size := len(value.encode())) > length:
            raise Refused(f"at most {length} bytes", str(size))
        return stored

    return check


def _ascii(value: object) -> object:
    if not isinstance(value, str) or not value.isascii() or value != value.strip():
        raise Refused("ASCII text without outer spaces")
    return value


def _uuid(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(value if isinstance(value, str) else "")
    except ValueError:
        raise Refused("a UUID or its text") from None


def _uuid_text(value: object) -> object:
    return str(_uuid(value))


def _instant(value: object) -> object:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise Refused("an aware datetime (a naive one is no instant)")
    if value.tzinfo is not dt.UTC:
        try:
            value.astimezone(dt.UTC)
        except OverflowError:
            raise Refused("a datetime from the year 1 to 9999 in UTC") from None
    return value


def _datetime(value: object) -> object:
    if not isinstance(value, dt.datetime):
        raise Refused("a datetime")
    if value.utcoffset():
        raise Refused("a datetime without a time zone, or of UTC (the column keeps none: UTCDateTime does)")
    return value


def _date(value: object) -> object:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise Refused("a date")
    return value


def _time(value: object) -> object:
    if not isinstance(value, dt.time) or value.tzinfo is not None:
        raise Refused("a time without a time zone")
    return value


_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # SQLAlchemy stores an interval as the time that is so much later
_FIRST_YEAR = 1000  # of MySQL's DATETIME


def _duration(value: object) -> object:
    if not isinstance(value, dt.timedelta) or value.microseconds:  # which MySQL's DATETIME cuts
        raise Refused("a timedelta of whole seconds")
    try:
        is_storable = (_EPOCH + value).year >= _FIRST_YEAR
    except OverflowError:
        is_storable = False
    if not is_storable:
        raise Refused("a timedelta of at most 900 years back and 8,000 years forward")
    return value


def _whole_seconds(coerce: Coerce) -> Coerce:
    def check(value: object) -> object:
        checked: Any = coerce(value)
        if checked.microsecond:
            raise Refused("whole seconds, as the column has a default of the database: give it `mysql.DATETIME(fsp=6)`")
        return checked

    return check


def _boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise Refused("True or False")
    return value


def _comparable_integer(end: int) -> Coerce:
    """Integers to compare with; drivers cannot send those that no row has, so a number as far out stands for them."""

    def check(value: object) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused("an int")
        if -(1 << 63) <= value < end:
            return value
        return 1e30 if value > 0 else -1e30

    return check


_any_integer, _any_unsigned = _comparable_integer(1 << 63), _comparable_integer(1 << 64)


def _is_unsigned(kind: object) -> bool:
    return getattr(kind, "unsigned", None) is True  # MySQL's own types


def _bounded_integer(bounds: Bounds) -> Coerce:
    lowest, highest = bounds.lowest, bounds.highest

    def check(value: object) -> object:
        if type(value) is int and lowest <= value <= highest:  # nearly every value
            return value
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused("an int")
        if not lowest <= value <= highest:
            raise Refused(f"an int from {lowest} to {highest}")
        return value

    return check


_integer_of_64_bits = _bounded_integer(Bounds(int, -(1 << 63), (1 << 63) - 1))


def _any_number(value: object) -> object:
    """A number to compare with; one that no column holds becomes the nearest that drivers can send."""
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise Refused("a number")
    if isinstance(value, float) and math.isfinite(value):
        return value
    exact = Decimal(value)
    if exact.is_nan():
        raise Refused("a number")
    if exact.is_finite() and abs(exact.adjusted()) <= _MOST_DIGITS:
        return value if isinstance(value, int) and value.bit_length() < 64 else exact
    nearest = math.ulp(0.0) if exact.is_finite() and exact.adjusted() < 0 else sys.float_info.max
    return nearest if exact > 0 else -nearest


def _number(value: object) -> object:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise Refused("a number")
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) > _MOST_DIGITS:
        raise Refused("a number that a database can hold")
    if isinstance(value, int):
        _integer_of_64_bits(value)
    return value


_MOST_DIGITS = 300  # of a DOUBLE; a DECIMAL has fewer


def _bounded_number(digits: int | None, places: int | None, highest: float | None = None) -> Coerce:
    def check(value: object) -> object:
        number: Any = _number(value)
        if not math.isfinite(number):
            raise Refused("a finite number")
        if digits is not None and abs(number) >= 10**digits:
            raise Refused(f"a number of at most {digits} digits before the point")
        if places is not None and type(number) is not int and _decimals(number) > places:
            raise Refused(f"a number of at most {places} digits after the point")
        if highest is not None and abs(number) > highest:
            raise Refused(f"a number up to {highest:.7g}")
        return number

    return check


def _decimals(number: float | Decimal) -> int:
    text = format(Decimal(str(number)), "f")
    return len(text.partition(".")[2].rstrip("0"))


def _document_of(kind: "Json | JSON") -> Coerce:
    """JSON that every database takes. What else a `JSON` column takes is up to the engine's serializer."""

    def check(value: object) -> object:
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise Refused("a JSON document without NaN, infinity, circles and lone surrogates") from None
        except TypeError:
            if isinstance(kind, Json) or is_expression(value):
                raise Refused("a JSON document") from None
        return value

    return check


def _bytes(value: object) -> object:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise Refused("bytes")
    return value


def _bounded_bytes(length: int) -> Coerce:
    def check(value: object) -> object:
        size = memoryview(cast("bytes", _bytes(value))).nbytes
        if size > length:
            raise Refused(f"at most {length} bytes", str(size))
        return value

    return check


def _member_of(members: type[enum.Enum] | None, names: Sequence[str]) -> Coerce:
    def coerce(value: object) -> object:
        if members is None:
            if not isinstance(value, str) or value not in names:
                raise Refused(f"one of {', '.join(names)}")
            return value
        if isinstance(value, members):
            return value
        try:
            return members[value] if isinstance(value, str) and value in members.__members__ else members(value)
        except ValueError:
            raise Refused(f"one of {', '.join(str(member.value) for member in members)}") from None

    return coerce


_INTEGER_BITS: list[tuple[type[TypeEngine[Any]], int]] = [(SmallInteger, 16), (BigInteger, 64), (Integer, 32)]

_BY_TYPE: list[tuple[type[TypeEngine[Any]], Coerce]] = [
    (UUIDKey, _uuid),
    (Uuid, _uuid),
    (UTCDateTime, _instant),
    (AsciiKey, _ascii),
    (ExactString, plain_text),
    (Json, _anything),
    (DateTime, _datetime),
    (Date, _date),
    (Time, _time),
    (Interval, _duration),
    (Boolean, _boolean),
    (Integer, _any_integer),
    (Numeric, _any_number),
    (Float, _any_number),
    (LargeBinary, _bytes),
    (String, plain_text),
]
