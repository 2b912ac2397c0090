"""Checks a value before the database gets to see it: what does not fit a column is an error, never a silent cast."""

import datetime as dt
import enum
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Column,
    Date,
    DateTime,
    Enum,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Uuid,
)
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine

from bongsu.mixins.errors import WrongValueForLookup
from bongsu.mixins.types import AsciiKey, ExactString, Json, UTCDateTime, UUIDKey

Coerce = Callable[[object], object]
"""Gives the value that the column takes; `_Refused` says what it would take."""


class _Refused(Exception):
    """What a column would take instead."""


def is_expression(value: object) -> bool:
    """Whether the value is SQL (a column, a function), which the database itself judges."""
    return isinstance(value, ClauseElement) or hasattr(value, "__clause_element__")


def coercion(column: "Column[Any] | None") -> Coerce:
    """What turns a value into one for this column; anything goes where the type is not known."""
    if column is None:
        return _anything
    return _coercion_of(column.type)


def coerced(coerce: Coerce, value: object, what: str) -> object:
    """The value as its column takes it, `WrongValueForLookup` otherwise."""
    if value is None or is_expression(value):
        return value
    try:
        return coerce(value)
    except _Refused as error:
        raise WrongValueForLookup(f"{what} takes {error}, not {_shown(value)}") from None


def _shown(value: object) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:60] + '…'} ({type(value).__name__})"


def _coercion_of(kind: TypeEngine[Any]) -> Coerce:
    for known, coerce in _BY_TYPE:
        if isinstance(kind, known):
            return coerce
    if isinstance(kind, Enum):
        return _member_of(kind)
    if isinstance(kind, String):
        return _text
    if isinstance(kind, TypeDecorator):
        return _anything
    return _anything


def _anything(value: object) -> object:
    return value


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise _Refused("a str")
    return value


def _ascii(value: object) -> object:
    if not isinstance(value, str) or not value.isascii() or value != value.strip():
        raise _Refused("ASCII text without outer spaces")
    return value


def _uuid(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(value if isinstance(value, str) else "")
    except ValueError:
        raise _Refused("a UUID or its text") from None


def _instant(value: object) -> object:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise _Refused("an aware datetime")
    return value


def _datetime(value: object) -> object:
    if not isinstance(value, dt.datetime):
        raise _Refused("a datetime")
    return value


def _date(value: object) -> object:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise _Refused("a date")
    return value


def _boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise _Refused("True or False")
    return value


def _integer(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Refused("an int")
    return value


def _number(value: object) -> object:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise _Refused("a number")
    return value


def _bytes(value: object) -> object:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _Refused("bytes")
    return value


def _member_of(kind: Enum) -> Coerce:
    members: type[enum.Enum] | None = kind.enum_class

    def coerce(value: object) -> object:
        if members is None:
            if value not in kind.enums:
                raise _Refused(f"one of {', '.join(kind.enums)}")
            return value
        try:
            return members(value)
        except ValueError:
            raise _Refused(f"one of {', '.join(str(member.value) for member in members)}") from None

    return coerce


_BY_TYPE: list[tuple[type[TypeEngine[Any]], Coerce]] = [
    (UUIDKey, _uuid),
    (Uuid, _uuid),
    (UTCDateTime, _instant),
    (AsciiKey, _ascii),
    (ExactString, _text),
    (Json, _anything),
    (DateTime, _datetime),
    (Date, _date),
    (Boolean, _boolean),
    (Integer, _integer),
    (Numeric, _number),
    (LargeBinary, _bytes),
]
