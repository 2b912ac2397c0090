"""Cursors: where a page ended, as text that a client gives back."""

import base64
import binascii
import datetime as dt
import enum
import json
import uuid
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal

from bongsu.mixins.errors import WrongCursor, WrongValueForLookup


def encode_cursor(order: str, values: Sequence[object]) -> str:
    """The values that a page's last row has in its order, bound to that order. Text for URLs."""
    document = [_stamp(order), *(_tagged(value) for value in values)]
    packed = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(order: str, cursor: str, length: int) -> list[object]:
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


_READERS: dict[str, Callable[[str], object]] = {
    "t": dt.datetime.fromisoformat,
    "d": dt.date.fromisoformat,
    "u": uuid.UUID,
    "n": Decimal,
    "b": bytes.fromhex,
}
