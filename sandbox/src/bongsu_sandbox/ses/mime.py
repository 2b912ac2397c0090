"""Raw messages: MIME, parsed as a mail client would."""

import base64
import binascii
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses

from bongsu_sandbox.mailbox.schemas import Attachment
from bongsu_sandbox.ses.addresses import Address, parse_address
from bongsu_sandbox.ses.errors import bad_request
from bongsu_sandbox.ses.messages import (
    SEND_MAX_BYTES,
    File,
    Message,
    Recipients,
    require_length,
    require_recipient_count,
)

_PARSER = BytesParser(policy=policy.default)
_MAX_LINE = 1000
_PARSER_FAULTS = (AttributeError, LookupError, TypeError, ValueError)
"""The exceptions of the standard library's header parser on malformed headers, such as nested groups."""


def from_raw(data: str, destination: Recipients | None) -> tuple[Message, Address | None, Recipients]:
    """Parse a raw message. Returns content, From, and recipients (the destination, else its own headers).

    :raises SesError: BadRequestException.
    """
    try:
        return _from_raw(data, destination)
    except _PARSER_FAULTS as error:
        raise bad_request("Raw message cannot be parsed.") from error


def _from_raw(data: str, destination: Recipients | None) -> tuple[Message, Address | None, Recipients]:
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise bad_request("Raw message data is not base64.") from error
    require_length(len(raw), SEND_MAX_BYTES)
    if any(len(line) > _MAX_LINE for line in raw.splitlines()):
        raise bad_request(f"Raw message has a line longer than {_MAX_LINE} characters.")
    parsed = _PARSER.parsebytes(raw)
    assert isinstance(parsed, EmailMessage)  # noqa: S101 - what policy.default makes
    for name in ("From", "Subject", "To", "Cc", "Reply-To", "Message-ID"):
        if len(parsed.get_all(name, [])) > 1:
            raise bad_request(f"Duplicate header '{name}'.")
    senders = _addresses(parsed, "From")
    recipients = destination or Recipients(
        to=_addresses(parsed, "To"), cc=_addresses(parsed, "Cc"), bcc=_addresses(parsed, "Bcc")
    )
    require_recipient_count(len(recipients.everyone))
    bodies = [parsed.get_body(preferencelist=(kind,)) for kind in ("plain", "html")]
    message = Message(
        subject=clean(str(parsed.get("Subject", ""))),
        text=_text(parsed, "plain"),
        html=_text(parsed, "html"),
        headers={name: clean(str(value)) for name, value in parsed.items() if name.lower() != "bcc"},
        files=[_file(part) for part in parsed.walk() if not part.is_multipart() and part not in bodies],
    )
    return message, senders[0] if senders else None, recipients


def clean(text: str) -> str:
    """Remove the surrogates that the parser leaves for bytes that cannot be decoded."""
    return text.encode("utf-8", "replace").decode()


def _addresses(parsed: EmailMessage, header: str) -> tuple[Address, ...]:
    found = getaddresses([str(value) for value in parsed.get_all(header, [])])
    return tuple(Address(parse_address(address).address, clean(name)) for name, address in found if address)


def _text(parsed: EmailMessage, kind: str) -> str | None:
    part = parsed.get_body(preferencelist=(kind,))
    if part is None:
        return None
    payload = part.get_payload(decode=True)
    charset = part.get_content_charset("utf-8")
    assert isinstance(payload, bytes)  # noqa: S101 - a body part is never multipart
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")


def _file(part: EmailMessage) -> File:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    content_id = part.get("Content-ID")
    attachment = Attachment(
        filename=clean(part.get_filename() or "unnamed"),
        content_type=part.get_content_type(),
        size_bytes=len(content),
        content_id=None if content_id is None else clean(str(content_id)).strip("<> "),
    )
    return attachment, content
