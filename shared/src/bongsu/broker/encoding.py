"""Messages on the wire: within the limits of AMQP, with a UTF-8 JSON object as the body."""

import json

from bongsu.broker.errors import InvalidMessage
from bongsu.broker.port import JsonObject, Message

CONTENT_TYPE = "application/json"
SHORT_STRING_BYTES = 255
LONGEST_EXPIRY_S = 2**32 / 1000 - 1


def encode_message(destination: str, message: Message) -> bytes:
    """Check a message and encode its body.

    RabbitMQ closes the channel for most messages that exceed a limit, which fails every other message in flight.

    :raises InvalidMessage: it cannot be sent.
    """
    _check_short("The destination", destination)
    _check_short("The id", message.id)
    for name, value in message.headers.items():
        _check_short("A header's name", name)
        if not _is_encodable(value):
            raise InvalidMessage(f"The header {name!r} must be text")
    if message.expires_in_s is not None and not 0 <= message.expires_in_s <= LONGEST_EXPIRY_S:
        raise InvalidMessage(f"A message can expire in 0 to {LONGEST_EXPIRY_S:.0f} s, not {message.expires_in_s}")
    return encode_body(message.body)


def encode_body(body: JsonObject) -> bytes:
    """Encode a body.

    :raises InvalidMessage: it is not an object, or has values that JSON or UTF-8 cannot express.
    """
    if not isinstance(body, dict):
        raise InvalidMessage("A message's body must be a JSON object")
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidMessage(f"A message's body must be JSON: {type(error).__name__}") from error


def decode_body(raw: bytes) -> JsonObject | None:
    """Decode a body; None if the bytes are not a JSON object."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _check_short(what: str, text: str) -> None:
    if not _is_encodable(text) or not 0 < len(text.encode()) <= SHORT_STRING_BYTES:
        raise InvalidMessage(f"{what} must have 1 to {SHORT_STRING_BYTES} bytes of text")


def _is_encodable(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
