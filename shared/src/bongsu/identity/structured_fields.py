"""Structured fields (RFC 9651), the dictionaries in which HTTP signatures and digests travel: parsed by http-sf.

Stricter than the RFC where two texts would mean the same signature.
"""

from functools import lru_cache
from typing import NoReturn, cast

import http_sf
from http_sf import InnerListType, StructuredFieldError
from http_sf.types import BareItemType, ParamsType

__all__ = ["InnerList", "Item", "Member", "StructuredFieldError", "parse_dictionary", "serialize_inner_list"]

MAX_FIELD_CHARS = 8192
_KEPT_NAMES = 16

Item = tuple[BareItemType, ParamsType]
"""A value and its parameters: `"@method";req`."""
InnerList = tuple[list[Item], ParamsType]
"""Items in brackets, and the parameters of the whole: `("@method" "@path");created=1`."""
Member = tuple[BareItemType | list[Item], ParamsType]
"""An item or an inner list."""


def parse_dictionary(text: str) -> dict[str, Member]:
    """Parse a dictionary field, its lines already joined by `, `.

    :raises StructuredFieldError: not a dictionary, longer than `MAX_FIELD_CHARS`, or ambiguous: a key or a parameter
        given twice, or base64 that is not in its canonical form.
    """
    if len(text) > MAX_FIELD_CHARS:
        raise StructuredFieldError(f"longer than {MAX_FIELD_CHARS} characters")
    if not text.isascii():
        raise StructuredFieldError("not ASCII")
    parsed = http_sf.parse(text.encode(), tltype="dictionary", on_duplicate_key=_refuse_duplicate)
    members = cast("dict[str, Member]", parsed)
    for value, _ in members.values():
        if isinstance(value, bytes) and http_sf.ser(value) not in text:
            raise StructuredFieldError("base64 is not in its canonical form")
    return members


def serialize_inner_list(inner: InnerList) -> str:
    """The canonical text of an inner list: a list field of one member is written as that member."""
    items, params = inner
    names = tuple(value for value, parameters in items if type(value) is str and not parameters)
    if len(names) < len(items) or len(items) > _KEPT_NAMES:
        return http_sf.ser([cast("InnerListType", inner)])
    # Most requests cover the same components: only the parameters differ.
    return _serialize_names(names) + http_sf.ser([cast("InnerListType", ([], params))]).removeprefix("()")


@lru_cache(maxsize=256)
def _serialize_names(names: tuple[str, ...]) -> str:
    return http_sf.ser([cast("InnerListType", ([(name, {}) for name in names], {}))])


def _refuse_duplicate(key: str, where: str) -> NoReturn:
    raise StructuredFieldError(f"the {where} has {key} twice")
