"""The rule for text on one line: names, subjects, memos."""

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator

_FORBIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Marks, embeddings, overrides and isolates: they reorder the text around a name.
_BIDI_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_allowed(char: str) -> bool:
    """Whether a line may have a character: not a control, a line separator, a surrogate or a bidi control.

    Other format characters are allowed, because emoji are joined by them (ZWJ, variation selectors, tags).
    """
    return char not in _BIDI_CONTROLS and unicodedata.category(char) not in _FORBIDDEN_CATEGORIES


def require_single_line(value: str) -> str:
    """:raises ValueError: a character is not allowed."""
    if not value.isprintable() and not all(map(is_allowed, value)):
        raise ValueError("must be one line without control characters")
    return value


SingleLine = Annotated[str, AfterValidator(require_single_line)]
