"""Inline templates: SES replaces `{{name}}` and nothing else there, without escaping."""

import json
import re

from pydantic import JsonValue

from bongsu_sandbox.ses.errors import bad_request

_VARIABLE = re.compile(r"\{\{\{?\s*([A-Za-z_][\w.-]*)\s*\}?\}\}")
_BLOCK = re.compile(r"\{\{\{?\s*[#/^>!&]")


class RenderingFailure(Exception):
    """A variable is missing. SES has accepted the mail by then and reports this as an event."""


def render(template: str, data: dict[str, JsonValue]) -> str:
    """Replace the variables of a template.

    :raises RenderingFailure: a variable is not in the data.
    :raises SesError: BadRequestException, where the template asks for more than inline templates can do.
    """
    if "{{" not in template:
        return template
    if _BLOCK.search(template):
        raise bad_request("Inline template content supports simple substitutions only")
    return _VARIABLE.sub(lambda found: _value(found[1], data), template)


def merge_data(*parts: str | None) -> dict[str, JsonValue]:
    """Merge JSON objects of template data; later ones win."""
    merged: dict[str, JsonValue] = {}
    for part in parts:
        if part:
            merged |= json.loads(part)
    return merged


def _value(path: str, data: dict[str, JsonValue]) -> str:
    value: JsonValue = data
    for step in path.split("."):
        if not isinstance(value, dict) or step not in value:
            raise RenderingFailure(f"Attribute '{path}' is not present in the rendering data.")
        value = value[step]
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
