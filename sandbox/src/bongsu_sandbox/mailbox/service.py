"""The newest mails in files, with an index in memory."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bongsu_sandbox.line_file import LineFile
from bongsu_sandbox.mailbox.schemas import Mail

_PAGE_BYTES = 32 * 1024 * 1024
_PREVIEW = 140


@dataclass(frozen=True, slots=True)
class Envelope:
    id: str
    to: str
    subject: str
    preview: str
    attachments: int
    received_at: datetime
    offset: int
    length: int


class Segment:
    """A folder of mails and attachments that is deleted as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = LineFile(folder / "mails.jsonl")
        self.envelopes: list[Envelope] = []
        self.attachment_bytes = 0
        offset = 0
        for line, mail in self.file.entries(Mail.model_validate_json):
            self._note(mail, offset, len(line))
            self.attachment_bytes += sum(item.size_bytes for item in mail.attachments)
            offset += len(line) + 1

    @property
    def size_bytes(self) -> int:
        return self.file.size_bytes + self.attachment_bytes

    def add(self, mail: Mail, contents: Sequence[bytes]) -> None:
        """Write a mail, attachments first, so that a listed mail is complete."""
        for number, content in enumerate(contents):
            self.attachment(mail.id, number).write_bytes(content)
            self.attachment_bytes += len(content)
        line = mail.model_dump_json().encode()
        self._note(mail, self.file.append(line), len(line))

    def _note(self, mail: Mail, offset: int, length: int) -> None:
        self.envelopes.append(
            Envelope(
                id=mail.id,
                to=mail.to,
                subject=mail.subject,
                preview=" ".join((mail.text or "")[: 2 * _PREVIEW].split())[:_PREVIEW],
                attachments=len(mail.attachments),
                received_at=mail.received_at,
                offset=offset,
                length=length,
            )
        )

    def line(self, envelope: Envelope) -> bytes:
        return self.file.read(envelope.offset, envelope.length)

    def attachment(self, mail_id: str, number: int) -> Path:
        return self.folder / f"{mail_id}.{number}"

    def drop(self) -> None:
        self.file.close()
        shutil.rmtree(self.folder)


class Mailbox:
    """The newest mails to all recipients.

    They are kept in segments of `max_mails` mails or `max_bytes` bytes; the two newest segments stay, so that the
    newest `max_mails` are there unless they are very large, and dropping the oldest costs nothing.
    """

    def __init__(self, folder: Path, *, max_mails: int, max_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._max_mails = max_mails
        self._max_bytes = max_bytes
        self._segments = [Segment(path) for path in sorted(folder.iterdir()) if path.name.isdigit()]
        self._places = {mail.id: (part, mail) for part in self._segments for mail in part.envelopes}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, mail: Mail, contents: Sequence[bytes] = ()) -> None:
        """Store a mail. `contents` are those of its attachments, in order."""
        segment = self._writable()
        segment.add(mail, contents)
        self._places[mail.id] = (segment, segment.envelopes[-1])

    def envelopes(self, *, to: str | None = None) -> Iterator[Envelope]:
        """List mails, newest first. `to` is an address, or a part of one without `@`, in any case."""
        wanted = to.strip().lower() if to else ""
        for segment in reversed(self._segments):
            for mail in reversed(segment.envelopes):
                address = mail.to.lower()
                if not wanted or address == wanted or ("@" not in wanted and wanted in address):
                    yield mail

    def page(self, *, to: str | None, after: str | None, limit: int | None) -> tuple[list[bytes], str | None]:
        """Return mails older than `after` as JSON, newest first, and the ID to continue from.

        Without a limit all are returned, up to 32 MiB.
        """
        lines: list[bytes] = []
        size = 0
        last: str | None = None
        skipping = after is not None
        for mail in self.envelopes(to=to):
            if skipping:
                skipping = mail.id != after
                continue
            if last is not None and (len(lines) == limit or size + mail.length > _PAGE_BYTES):
                return lines, last
            lines.append(self._places[mail.id][0].line(mail))
            size += mail.length
            last = mail.id
        return lines, None

    def get(self, mail_id: str) -> Mail | None:
        place = self._places.get(mail_id)
        return None if place is None else Mail.model_validate_json(place[0].line(place[1]))

    def attachment(self, mail_id: str, number: int) -> Path | None:
        place = self._places.get(mail_id)
        path = None if place is None else place[0].attachment(mail_id, number)
        return path if path is not None and path.is_file() else None

    def clear(self) -> None:
        self._places.clear()
        while self._segments:
            self._segments.pop().drop()

    def close(self) -> None:
        for segment in self._segments:
            segment.file.close()

    def _writable(self) -> Segment:
        if self._segments:
            newest = self._segments[-1]
            if len(newest.envelopes) < self._max_mails and newest.size_bytes < self._max_bytes:
                return newest
        while len(self._segments) > 1:
            oldest = self._segments.pop(0)
            for mail in oldest.envelopes:
                del self._places[mail.id]
            oldest.drop()
        number = int(self._segments[-1].folder.name) + 1 if self._segments else 1
        segment = Segment(self._folder / f"{number:08d}")
        self._segments.append(segment)
        return segment
