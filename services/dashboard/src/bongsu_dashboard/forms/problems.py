"""The problems of a form's fields, in a form that can be translated."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

KINDS: Final[Mapping[str, str]] = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_few",
    "too_long": "too_many",
    "int_parsing": "whole_number",
    "int_from_float": "whole_number",
    "float_parsing": "number",
    "decimal_parsing": "number",
    "bool_parsing": "yes_or_no",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "less_than": "too_large",
    "less_than_equal": "too_large",
    "enum": "not_a_choice",
    "literal_error": "not_a_choice",
    "is_the_address": "is_the_address",
}
"""Pydantic's error types and the problem kinds of forms; other types are `invalid`."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """An invalid field. Its text is `form.<kind>` in the catalogue, filled with `facts`."""

    field: str
    kind: str
    facts: Mapping[str, str | int] = dataclasses.field(default_factory=dict)


def problems_of(error: ValidationError, names: Mapping[str, str]) -> list[FieldProblem]:
    """Convert Pydantic's errors.

    :param names: the field's name in the form for each first part of a location.
    """
    found = []
    for item in error.errors(include_url=False, include_input=False):
        loc: Sequence[str | int] = item["loc"]
        facts = {
            name: value
            for name, value in item.get("ctx", {}).items()
            if isinstance(value, str | int) and not isinstance(value, bool)
        }
        kind = KINDS.get(item["type"], "invalid")
        if item["type"] == "string_too_short" and facts.get("min_length") == 1:
            kind = "missing"
        first = str(loc[0]) if loc else ""
        found.append(FieldProblem(names.get(first, first), kind, facts))
    return found
