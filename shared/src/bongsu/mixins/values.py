"""Checks a value before the database gets to see it: what does not fit a column is an error, never a silent cast."""

import datetime as dt
import enum
import math
import sys
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    Numeric,
    String,
    Time,
    Uuid,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.sqltypes import _Binary
from sqlalchemy.types import Boolean, TypeEngine

from bongsu.mixins.errors import WrongValue, WrongValueForLookup
from bongsu.mixins.types import (
    AsciiKey,
    ExactString,
    IntegerEnum,
    Json,
    UTCDateTime,
    UUIDKey,
    integer_range,
)

Coerce = Callable[[object], object]
"""Returns the value that the column takes; `Refused` says what it would take."""


_PLAIN = frozenset((str, int, bool, float, bytes, Decimal, uuid.UUID, dt.datetime, dt.date, list, tuple))


CANNOT_BE_SENT = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a column's type raises for a value that it does not take."""


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
    return anything if column is None else coercion_of(column.type)


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


def coercion_of(kind: TypeEngine[Any]) -> Coerce:  # noqa: PLR0911  # one return a kind of type
    if isinstance(kind, Enum):
        return _member_of(kind.enum_class, kind.enums)
    if isinstance(kind, IntegerEnum):
        return _member_of(kind.members, [], takes_combined=True)
    if isinstance(kind, mysql.SET):
        return anything if kind.retrieve_as_bitwise else members_of_set(kind.values, as_text=True)
    if isinstance(kind, Uuid) and not kind.as_uuid:
        return _uuid_text
    if isinstance(kind, BigInteger | mysql.BIT) and integer_range(kind)[0] == 0:
        return any_unsigned
    for known, coerce in _BY_TYPE:
        if isinstance(kind, known):
            return coerce
    return anything


def anything(value: object) -> object:
    return value


def plain_text(value: object) -> object:
    if not isinstance(value, str):
        raise Refused("a str")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused("text without lone surrogates") from None
    return value


def ascii_key(value: object) -> object:
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


def naive_datetime(value: object) -> object:
    if not isinstance(value, dt.datetime):
        raise Refused("a datetime")
    if value.tzinfo is None:
        return value
    if value.utcoffset():
        raise Refused("a datetime without a time zone, or of UTC (the column keeps none: UTCDateTime does)")
    return value.replace(tzinfo=None)  # as it is read


def _date(value: object) -> object:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise Refused("a date")
    return value


def naive_time(value: object) -> object:
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


any_integer, any_unsigned = _comparable_integer(1 << 63), _comparable_integer(1 << 64)


def any_number(value: object) -> object:
    """A number to compare with; one that no column holds becomes the nearest that drivers can send."""
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise Refused("a number")
    if isinstance(value, float) and math.isfinite(value):
        return value
    exact = Decimal(value)
    if exact.is_nan():
        raise Refused("a number")
    if exact.is_finite() and abs(exact.adjusted()) <= MOST_DIGITS:
        return value if isinstance(value, int) and value.bit_length() < 64 else exact
    nearest = math.ulp(0.0) if exact.is_finite() and exact.adjusted() < 0 else sys.float_info.max
    return nearest if exact > 0 else -nearest


MOST_DIGITS = 300  # of a DOUBLE; a DECIMAL has fewer


def any_bytes(value: object) -> object:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise Refused("bytes")
    return value


def members_of_set(members: Sequence[str], *, as_text: bool) -> Coerce:
    """Members of MySQL's SET, as a set or as text: as it is read, or as text to compare with."""

    def check(value: object) -> object:
        given = value.split(",") if isinstance(value, str) and value else value or ()
        if not isinstance(given, list | tuple | set | frozenset) or not set(members).issuperset(given):
            raise Refused(f"a set of {', '.join(members)}")
        return ",".join(member for member in members if member in given) if as_text else set(given)

    return check


def _member_of(members: type[enum.Enum] | None, names: Sequence[str], *, takes_combined: bool = False) -> Coerce:
    def coerce(value: object) -> object:
        if members is None:
            if not isinstance(value, str) or value not in names:
                raise Refused(f"one of {', '.join(names)}")
            return value
        try:
            is_name = isinstance(value, str) and value in members.__members__
            member: enum.Enum = members[cast("str", value)] if is_name else members(value)
        except ValueError:
            raise Refused(f"one of {', '.join(str(member.value) for member in members)}") from None
        if isinstance(member, enum.Flag) and not takes_combined and member.name not in members.__members__:
            fitting = f"one of {', '.join(str(member.value) for member in members)}"
            raise Refused(f"{fitting} (`IntegerEnum({members.__name__})` takes several)")
        return member

    return coerce


_BY_TYPE: list[tuple[type[TypeEngine[Any]], Coerce]] = [
    (UUIDKey, _uuid),
    (Uuid, _uuid),
    (UTCDateTime, _instant),
    (AsciiKey, ascii_key),
    (ExactString, plain_text),
    (Json, anything),
    (DateTime, naive_datetime),
    (Date, _date),
    (Time, naive_time),
    (Interval, _duration),
    (Boolean, _boolean),
    (Integer, any_integer),
    (Numeric, any_number),
    (Float, any_number),
    (mysql.YEAR, any_integer),
    (mysql.BIT, any_integer),
    (_Binary, any_bytes),
    (String, plain_text),
]
