"""What a column can store: each value is checked before a write, by the bounds that MySQL's type of the column has."""

import datetime as dt
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import BINARY, CHAR, JSON, NCHAR, TIMESTAMP, Column, Double, Float, Numeric
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

from bongsu.mixins.types import Json, integer_range, is_unsigned, most_length, stored_type
from bongsu.mixins.values import (
    CANNOT_BE_SENT,
    MOST_DIGITS,
    Coerce,
    Refused,
    any_bytes,
    any_integer,
    any_number,
    any_unsigned,
    anything,
    ascii_key,
    coercion_of,
    is_expression,
    members_of_set,
    naive_datetime,
    naive_time,
    plain_text,
)

_MOST_SINGLE = 3.4028234e38  # of MySQL's FLOAT


def storage(column: "Column[Any]") -> Coerce:
    """The function that turns a value into one that this column can store: `coercion`, within the column's bounds."""
    return _computed if column.computed is not None else _storage_of(column.type)


def _storage_of(kind: TypeEngine[Any]) -> Coerce:  # noqa: PLR0911  # one return a kind of type
    coerce, base = coercion_of(kind), stored_type(kind)
    if isinstance(kind, Json | JSON):
        return _document_of(kind)
    bounds = _bounds_of_type(kind)
    if bounds is not None and bounds.kind is int:
        return _bounded_integer(bounds)
    if coerce is plain_text or coerce is ascii_key:
        most, in_bytes = most_length(base)
        check = _bounded_text(coerce, most, in_bytes)
        return _unpadded(check) if isinstance(base, CHAR | NCHAR) else check
    if coerce is any_bytes:
        return _bounded_bytes(most_length(base)[0], is_exact=isinstance(base, BINARY))
    if coerce in (naive_datetime, naive_time):
        coerce = _fraction_of(coerce, getattr(base, "fsp", None) or 0)
    if isinstance(base, TIMESTAMP):
        return _within_timestamps(coerce)
    if isinstance(kind, mysql.SET):
        return members_of_set(kind.values, as_text=False)
    if coerce is anything and isinstance(kind, TypeDecorator):
        return _decorated(kind)
    return _storable_number(kind, base) if coerce is any_number else coerce


def _storable_number(kind: TypeEngine[Any], base: TypeEngine[Any]) -> Coerce:
    as_decimal, lowest = bool(getattr(kind, "asdecimal", False)), 0 if is_unsigned(base) else None
    scale: int | None = getattr(base, "scale", None)
    precision: int | None = getattr(base, "precision", None)
    if isinstance(base, Float):
        is_single = not isinstance(base, Double) and (precision or 0) <= 24
        digits = None if precision is None or scale is None else precision - scale
        highest = _MOST_SINGLE if is_single else None
        check = _bounded_number(digits, None if digits is None else scale, highest, lowest)
    else:
        precision, scale = precision or 10, scale or 0  # as MySQL has it
        check = _bounded_number(precision - scale, scale, None, lowest)
    return _of_one_kind(check, as_decimal=as_decimal and isinstance(kind, Numeric))


def exactness(column: "Column[Any]") -> Coerce | None:
    """The function that refuses what SQLite would round, which has numbers of about 15 digits; None where it has none.

    A value is exact if SQLAlchemy reads it back from a DOUBLE as it was given.
    """
    kind = column.type
    if not isinstance(kind, Numeric) or not kind.asdecimal or "sqlite" in kind._variant_mapping:  # noqa: SLF001  # SQLAlchemy has no other name for it
        return None
    base = stored_type(kind)
    if (getattr(base, "precision", None) or 10) <= sys.float_info.dig:
        return None
    places = kind._default_decimal_return_scale if kind.scale is None else kind.scale  # noqa: SLF001  # the same

    def check(value: object) -> object:
        number: Any = value
        if Decimal(f"{float(number):.{places}f}") != Decimal(number):
            raise Refused(f"about {sys.float_info.dig} digits on SQLite, which would round the others", "more")
        return value

    return check


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
    return None if column.computed is not None else _bounds_of_type(column.type)


def _bounds_of_type(kind: TypeEngine[Any]) -> Bounds | None:
    coerce, base = coercion_of(kind), stored_type(kind)
    if coerce in (any_integer, any_unsigned):
        return Bounds(int, *integer_range(base))
    if coerce is plain_text and not isinstance(base, CHAR | NCHAR):
        return Bounds(str, 0, most_length(base)[0])
    return None


def _computed(value: object) -> object:
    raise Refused("no value, as the database computes it", type(value).__name__)


def _unpadded(check: Coerce) -> Coerce:
    def unpadded(value: object) -> object:
        if isinstance(value, str) and value.endswith(" "):
            raise Refused("text without spaces at its end, which a CHAR loses")
        return check(value)

    return unpadded


def _bounded_text(coerce: Coerce, length: int, in_bytes: bool) -> Coerce:
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


def _fraction_of(coerce: Coerce, digits: int) -> Coerce:
    def check(value: object) -> object:
        checked: Any = coerce(value)
        if checked.microsecond % 10 ** (6 - digits):
            kept = f"{digits} digits of a second" if digits else "whole seconds"
            raise Refused(f"{kept}, as its type in MySQL: give it `fsp=6`, which a default of the database needs too")
        return checked

    return check if digits < 6 else coerce


_FIRST_TIMESTAMP = dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)
_LAST_TIMESTAMP = dt.datetime(2038, 1, 19, 3, 14, 7, 999_999, tzinfo=dt.UTC)


def _within_timestamps(coerce: Coerce) -> Coerce:
    def check(value: object) -> object:
        checked: Any = coerce(value)
        instant = checked if checked.tzinfo is not None else checked.replace(tzinfo=dt.UTC)
        if not _FIRST_TIMESTAMP <= instant <= _LAST_TIMESTAMP:
            raise Refused("a datetime from 1970-01-01 00:00:01 to 2038-01-19 03:14:07 UTC, as a TIMESTAMP")
        return checked

    return check


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


def _number(value: object) -> object:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise Refused("a number")
    if not isinstance(value, float):
        exact = Decimal(value)
        if exact.is_finite() and abs(exact.adjusted()) > MOST_DIGITS:
            raise Refused("a number that a database can hold")
    return value


def _bounded_number(digits: int | None, places: int | None, highest: float | None, lowest: float | None) -> Coerce:
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
        if lowest is not None and number < lowest:
            raise Refused(f"a number from {lowest}")
        return number

    return check


def _of_one_kind(check: Coerce, *, as_decimal: bool) -> Coerce:
    """The number as it is read: a Decimal, or a float. Integers of 64 bits equal both, and stay."""

    def convert(value: object) -> object:
        number: Any = check(value)
        if isinstance(number, int):
            if number.bit_length() < 64:
                return number
            return Decimal(number) if as_decimal else float(number)
        if as_decimal:
            return Decimal(str(number)) if isinstance(number, float) else number
        return float(number) if isinstance(number, Decimal) else number

    return convert


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


def _bounded_bytes(length: int, *, is_exact: bool) -> Coerce:
    def check(value: object) -> object:
        size = memoryview(cast("bytes", any_bytes(value))).nbytes
        if size > length or (is_exact and size != length):  # shorter ones would be filled up
            raise Refused(f"{'exactly' if is_exact else 'at most'} {length} bytes", str(size))
        return value

    return check


def _decorated(kind: "TypeDecorator[Any]") -> Coerce:
    """What a type of one's own makes of a value is checked as a value of the type that it is built on."""
    own, built_on = type(kind), kind.impl_instance
    sends, check_sent = _SENT_AS.get(coercion_of(built_on)), _storage_of(built_on)
    if (
        sends is None or own.load_dialect_impl is not TypeDecorator.load_dialect_impl
    ):  # a database may have another type
        return anything
    if own.bind_processor is not TypeDecorator.bind_processor:
        return anything
    binds, dialect = own.process_bind_param is not TypeDecorator.process_bind_param, sqlite.dialect()

    def check(value: object) -> object:
        if is_expression(value):
            return value
        try:
            sent = kind.process_bind_param(value, dialect) if binds else value
        except CANNOT_BE_SENT as error:
            raise Refused(f"what its type takes ({error})") from None
        if isinstance(sent, sends):
            check_sent(sent)
        return value

    return check


_SENT_AS: dict[Coerce, type] = {plain_text: str, ascii_key: str, any_integer: int, any_unsigned: int, any_bytes: bytes}
