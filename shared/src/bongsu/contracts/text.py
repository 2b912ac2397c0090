"""The rules for names, subjects, memos and other text."""

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_FORBIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Marks, embeddings, overrides and isolates: they reorder the text around a name.
_BIDI_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_INVISIBLE_CATEGORIES: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
# The empty Braille pattern and the fillers of Hangul: symbols and letters that show nothing.
_BLANKS: Final = frozenset("\u2800\u115f\u1160\u3164\uffa0")

_ZWJ: Final = "\u200d"
_SKIN_TONES: Final = "".join(map(chr, range(0x1F3FB, 0x1F400)))
_FLAG_LETTERS: Final = "".join(map(chr, range(0x1F1E6, 0x1F200)))


@dataclass(frozen=True, slots=True)
class Matching:
    """Text of a form: `Annotated[str, Matching(r"^[0-9]+$", "must be digits")]`.

    :param pattern: shown in JSON schemas.
    :param fix: what an error says, in place of the pattern.
    """

    pattern: str
    fix: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        form = core_schema.custom_error_schema(
            core_schema.str_schema(pattern=self.pattern),
            custom_error_type="text_of_another_form",
            custom_error_message=self.fix,
        )
        return core_schema.chain_schema([handler(source), form])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}


def is_allowed(char: str) -> bool:
    """Whether a line may have a character: not a control, a line separator, a surrogate or a bidi control.

    Other format characters are allowed, because emoji are joined by them (ZWJ, variation selectors, tags).
    """
    return char not in _BIDI_CONTROLS and unicodedata.category(char) not in _FORBIDDEN_CATEGORIES


def is_visible(text: str) -> bool:
    """Whether a text shows anything: it is not of spaces, controls, format characters and fillers alone.

    A character that this Python does not know is visible: it may be a newer emoji.
    """
    return any(char not in _BLANKS and unicodedata.category(char) not in _INVISIBLE_CATEGORIES for char in text)


def shorten(value: str, max_chars: int) -> str:
    """Return the beginning of a text, without half an emoji at its end.

    A family is several emoji joined by ZWJ; a flag is two letters; skin tones, selectors and tags follow their emoji.
    """
    end = min(len(value), max_chars)
    while 0 < end < len(value) and (value[end - 1] == _ZWJ or _continues(value[end])):
        end -= 1
    letters = len(value[:end]) - len(value[:end].rstrip(_FLAG_LETTERS))
    if end < len(value) and letters % 2:
        end -= 1
    return value[:end]


def _continues(char: str) -> bool:
    """Whether a character belongs to the one before it."""
    return char in _SKIN_TONES or unicodedata.category(char) in ("Mn", "Me", "Cf")


def require_single_line(value: str) -> str:
    """:raises ValueError: a character is not allowed."""
    if not value.isprintable() and not all(map(is_allowed, value)):
        raise ValueError("must be one line without control characters")
    return value
