"""SES's SendBulkEmail: up to 50 mails a call, each with its own content, result, id and tags.

What SES does with a template is in docs/decisions/0017: our rendered texts are replacement data, and the template has
their names only, so that nothing that a caller wrote is read as a template.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.email.mailboxes import encode_subject

MAX_DATA_BYTES: Final = 262_144
"""SES's limit for the replacement data of an entry. Its model counts characters, and its guide bytes."""
MAX_CALL_BYTES: Final = 1_000_000
_ENTRY_BYTES: Final = 2_000
"""An entry without its data, at most: two addresses with names, and tags."""


def split(messages: Iterable[EmailMessage], max_entries: int) -> Sequence[Sequence[EmailMessage]]:
    """Split messages into calls: those that share a call have the same sender, reply-to and parts."""
    calls: list[Sequence[EmailMessage]] = []
    alike: dict[object, list[tuple[EmailMessage, int]]] = defaultdict(list)
    for message in messages:
        data = None if max_entries < 2 or message.is_alone or _is_large(message) else encode(message)
        if data is None or len(data.encode("utf-8", "replace")) > MAX_DATA_BYTES:
            calls.append([message])
        else:
            # On the wire, where the data is JSON within JSON.
            entry = message, _ENTRY_BYTES + len(json.dumps(data))
            alike[message.sender, message.reply_to, message.text is None, message.html is None].append(entry)
    for entries in alike.values():
        calls += _fill(entries, max_entries)
    return calls


def _fill(entries: Iterable[tuple[EmailMessage, int]], max_entries: int) -> Iterator[Sequence[EmailMessage]]:
    """Fill calls with messages, each with its bytes on the wire."""
    call: list[EmailMessage] = []
    left_bytes = MAX_CALL_BYTES
    for message, size_bytes in entries:
        if call and (len(call) == max_entries or size_bytes > left_bytes):
            yield call
            call, left_bytes = [], MAX_CALL_BYTES
        call.append(message)
        left_bytes -= size_bytes
    yield call


def encode(message: EmailMessage) -> str:
    """The parts of a message as replacement data: JSON, under the names that `template` has."""
    return json.dumps(_parts(message), ensure_ascii=False)


def template(message: EmailMessage) -> dict[str, Any]:
    """The template of every message that has these parts: their names alone."""
    return {"TemplateContent": {name.capitalize(): f"{{{{{name}}}}}" for name in _parts(message)}, "TemplateData": "{}"}


def _is_large(message: EmailMessage) -> bool:
    """Whether its parts alone exceed the limit: they are not copied."""
    return len(message.text or "") + len(message.html or "") > MAX_DATA_BYTES


def _parts(message: EmailMessage) -> dict[str, str]:
    parts = {"subject": encode_subject(message.subject), "text": message.text, "html": message.html}
    return {name: part for name, part in parts.items() if part is not None}
