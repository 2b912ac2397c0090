"""Bodies on the wire: UTF-8 JSON objects."""

import json

from bongsu.broker.errors import InvalidMessage
from bongsu.broker.port import JsonObject

CONTENT_TYPE = "application/json"


def encode_body(body: JsonObject) -> bytes:
    """The bytes of a body.

    :raises InvalidMessage: it is no object, or holds something that JSON or UTF-8 cannot express.
    """
    if not isinstance(body, dict):
        raise InvalidMessage("A message's body must be a JSON object")
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidMessage(f"A message's body must be JSON: {type(error).__name__}") from error


def decode_body(raw: bytes) -> JsonObject | None:
    """The object that the bytes hold, or None if they hold none."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
