"""Refuses JSON in which an object has a name twice: parsers disagree on the value that counts (RFC 8259, section 4)."""

import json
from typing import Any

from starlette.requests import HTTPConnection, Request

from bongsu.runtime.errors import FieldError, Invalid


class RepeatedName(ValueError):
    """An object has a name twice; `name` is that name."""

    def __init__(self, name: str) -> None:
        super().__init__("a name is given twice")
        self.name = name


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of the pairs, as an `object_pairs_hook` of `json.loads`.

    :raises RepeatedName: a name is given twice.
    """
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise RepeatedName(name)
        members[name] = value
    return members


def has_json_type(request: Request) -> bool:
    """Whether the Content-Type of a request is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


async def require_unique_names(connection: HTTPConnection) -> None:
    """Refuse a JSON body with a repeated name; a dependency of every endpoint, WebSockets too.

    FastAPI has parsed the body before, so every other problem of it is reported there.

    :raises Invalid: an object in the body has a name twice.
    """
    if not isinstance(connection, Request) or not has_json_type(connection):
        return
    try:
        json.loads(await connection.body() or b"null", object_pairs_hook=unique_names)
    except RepeatedName as error:
        wrong = FieldError(("body", error.name), "Repeated field; send it once")
        raise Invalid(f"Invalid input: {error.name}", errors=[wrong]) from None
    except (ValueError, RecursionError):
        return
