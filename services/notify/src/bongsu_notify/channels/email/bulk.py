"""SES's SendBulkEmail: up to 50 mails a call, each with its own content, result, id and tags.

What SES does with a template is in docs/decisions/0017: our rendered texts are replacement data, and the template has
their names only, so that nothing that a caller wrote is read as a template.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final

from bongsu.runtime.logging import get_logger
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.email.mailboxes import encode_subject
from bongsu_notify.channels.port import Outcome, OutcomeUnknown

log = get_logger(__name__)

MAX_DATA_BYTES: Final = 262_144
"""SES's limit for the replacement data of an entry. Its model counts characters, and its guide bytes."""
MAX_CALL_BYTES: Final = 1_000_000
_ENTRY_BYTES: Final = 2_000
"""An entry without its data, at most: two addresses with names, and tags."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A message that waits for its call. `data` is None for a message that shares no call."""

    message: EmailMessage
    data: str | None
    future: asyncio.Future[Outcome]

    @property
    def size_bytes(self) -> int:
        """On the wire, where the data is JSON within JSON."""
        return _ENTRY_BYTES + len(json.dumps(self.data))


SendCall = Callable[[Sequence[Entry]], Awaitable[Sequence[Outcome]]]


class Collector:
    """Collects the messages that are sent in the same moment into calls.

    :param send: makes a call; returns an outcome for each entry.
    :param max_entries: how many entries a call has now.
    """

    def __init__(self, send: SendCall, max_entries: Callable[[], int]) -> None:
        self._send = send
        self._max_entries = max_entries
        self._waiting: list[Entry] = []
        self._calls: set[asyncio.Task[None]] = set()

    async def submit(self, message: EmailMessage) -> Outcome:
        """Send a message, together with those that are submitted before the event loop's next turn."""
        loop = asyncio.get_running_loop()
        data = None if message.is_alone or _is_large(message) else encode(message)
        entry = Entry(message, data, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append(entry)
        return await entry.future

    async def close(self) -> None:
        """Cancel the calls that run."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for call in group([entry for entry in waiting if not entry.future.done()], self._max_entries()):
            task = asyncio.get_running_loop().create_task(self._run(call), context=Context())
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _run(self, call: Sequence[Entry]) -> None:
        try:
            outcomes: Sequence[Outcome] = await self._send(call)
        except Exception as error:
            log.exception("ses.call_failed", notification_id=str(call[0].message.notification_id))
            outcomes = [OutcomeUnknown(type(error).__name__)] * len(call)
        for entry, outcome in zip(call, outcomes, strict=True):
            if not entry.future.done():  # its sender may have stopped waiting
                entry.future.set_result(outcome)


def group(entries: Sequence[Entry], max_entries: int) -> Sequence[Sequence[Entry]]:
    """Split entries into calls: those that share a call have the same sender, reply-to and parts."""
    calls: list[list[Entry]] = []
    alike: dict[object, list[Entry]] = defaultdict(list)
    for entry in entries:
        message = entry.message
        if max_entries < 2 or entry.data is None or len(entry.data.encode("utf-8", "replace")) > MAX_DATA_BYTES:
            calls.append([entry])
        else:
            alike[message.sender, message.reply_to, message.text is None, message.html is None].append(entry)
    for ones in alike.values():
        size_bytes = 0
        call: list[Entry] = []
        for entry in ones:
            entry_bytes = entry.size_bytes
            if call and (len(call) == max_entries or size_bytes + entry_bytes > MAX_CALL_BYTES):
                calls.append(call)
                call, size_bytes = [], 0
            call.append(entry)
            size_bytes += entry_bytes
        calls.append(call)
    return calls


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
