"""Structured field values (RFC 8941): the dictionaries in which HTTP signatures and digests travel.

Strict on the way in (what the RFC calls failing is a `StructuredFieldError`, never a guess) and canonical on the way
out, because a signature is computed over the canonical form.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

MAX_FIELD_CHARS = 8192

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")
_NUMBER = re.compile(r"-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})(?![0-9.])")
_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
_BOOLEAN = re.compile(r"\?([01])")


class StructuredFieldError(ValueError):
    """The text is not the structured field it should be; the message says where, and quotes no content."""


class Token(str):
    """A bare word such as `hmac-sha256` without quotes; a plain `str` is a quoted string."""

    __slots__ = ()


BareItem = bool | int | Decimal | str | bytes
Parameters = Mapping[str, BareItem]


@dataclass(frozen=True, slots=True)
class Item:
    """A value with its parameters, such as `"@method";req`."""

    value: BareItem
    params: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InnerList:
    """Items in brackets with parameters of their own: `("@method" "@path");created=1`."""

    items: tuple[Item, ...]
    params: Parameters = field(default_factory=dict)


Member = Item | InnerList


def parse_dictionary(text: str) -> dict[str, Member]:
    """Reads a dictionary field, its lines already joined by `, `. A key given twice keeps its last value.

    :raises StructuredFieldError: not a dictionary, or longer than `MAX_FIELD_CHARS`.
    """
    if len(text) > MAX_FIELD_CHARS:
        raise StructuredFieldError(f"longer than {MAX_FIELD_CHARS} characters")
    return _Parser(text.strip(" ")).dictionary()


def serialize_member(member: Member) -> str:
    """The canonical text of an item or an inner list."""
    if isinstance(member, InnerList):
        inner = " ".join(serialize_member(item) for item in member.items)
        return f"({inner}){_serialize_params(member.params)}"
    return _serialize_bare(member.value) + _serialize_params(member.params)


def serialize_dictionary(members: Mapping[str, Member]) -> str:
    """The canonical text of a dictionary."""
    return ", ".join(f"{key}={serialize_member(member)}" for key, member in members.items())


def _serialize_params(params: Parameters) -> str:
    return "".join(f";{key}" if value is True else f";{key}={_serialize_bare(value)}" for key, value in params.items())


def _serialize_bare(value: BareItem) -> str:
    match value:
        case bool():
            return f"?{int(value)}"
        case int():
            return str(value)
        case Decimal():
            text = format(value, "f").rstrip("0")
            return text + "0" if text.endswith(".") else text
        case Token():
            return str(value)
        case bytes():
            return f":{base64.b64encode(value).decode()}:"
        case str():
            if not value.isascii() or not value.isprintable():
                raise StructuredFieldError("a string holds printable ASCII characters only")
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def dictionary(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        while self.at < len(self.text):
            key = self._key()
            members.pop(key, None)  # the last value counts, and takes the last place
            members[key] = self._member() if self._take("=") else Item(True, self._params())
            self._skip(" \t")
            if self.at == len(self.text):
                return members
            self._expect(",")
            self._skip(" \t")
            if self.at == len(self.text):
                raise self._error("a comma with nothing after it")
        return members

    def _member(self) -> Member:
        if not self._take("("):
            return self._item()
        items: list[Item] = []
        while True:
            self._skip(" ")
            if self._take(")"):
                return InnerList(tuple(items), self._params())
            items.append(self._item())
            if self.text[self.at : self.at + 1] not in (" ", ")"):
                raise self._error("a space or ) expected")

    def _item(self) -> Item:
        return Item(self._bare(), self._params())

    def _params(self) -> dict[str, BareItem]:
        params: dict[str, BareItem] = {}
        while self._take(";"):
            self._skip(" ")
            key = self._key()
            params.pop(key, None)
            params[key] = self._bare() if self._take("=") else True
        return params

    def _bare(self) -> BareItem:
        if found := self._match(_STRING):
            return re.sub(r'\\(["\\])', r"\1", found[1])
        if found := self._match(_NUMBER):
            return Decimal(found[0]) if "." in found[0] else int(found[0])
        if found := self._match(_BYTES):
            return self._decoded(found[1])
        if found := self._match(_TOKEN):
            return Token(found[0])
        if found := self._match(_BOOLEAN):
            return found[1] == "1"
        raise self._error("a value expected")

    def _decoded(self, text: str) -> bytes:
        try:
            decoded = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise self._error("base64 expected between colons") from None
        # Different texts must not stand for the same bytes: unused bits and padding have one right form.
        if base64.b64encode(decoded).decode() != text:
            raise self._error("base64 is not in its canonical form")
        return decoded

    def _key(self) -> str:
        found = self._match(_KEY)
        if found is None:
            raise self._error("a key expected")
        return found[0]

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _take(self, char: str) -> bool:
        if self.text[self.at : self.at + 1] == char:
            self.at += 1
            return True
        return False

    def _expect(self, char: str) -> None:
        if not self._take(char):
            raise self._error(f"{char} expected")

    def _skip(self, chars: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in chars:
            self.at += 1

    def _error(self, message: str) -> StructuredFieldError:
        return StructuredFieldError(f"{message} at character {self.at + 1}")
