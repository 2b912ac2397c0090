"""Every accepted send, kept forever, which tests compare with what they sent."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bongsu_sandbox.ledger.schemas import LedgerEntry
from bongsu_sandbox.line_file import LineFile


class Ledger:
    """Keeps accepted sends in a file of JSON lines, and only their number in memory."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)
        self.count = sum(1 for _ in self._file.lines())

    def append(self, entry: LedgerEntry) -> None:
        self._file.append(entry.model_dump_json(exclude_none=True).encode())
        self.count += 1

    def page(self, after: int, limit: int | None) -> tuple[list[bytes], int | None]:
        """Return entries as JSON, oldest first, from an offset of an earlier call (0: the beginning).

        Returns them with the offset of the rest, or None at the end.
        """
        if not 0 <= after < self._file.size_bytes:
            return [], None
        lines = self._file.read(after, self._file.size_bytes - after).splitlines()
        if limit is None or len(lines) <= limit:
            return lines, None
        return lines[:limit], after + sum(len(line) + 1 for line in lines[:limit])

    def list_newest(self, limit: int) -> list[LedgerEntry]:
        lines = self._file.lines()[-limit:]
        return [LedgerEntry.model_validate_json(line) for line in reversed(lines)]

    def find(self, message_id: str) -> LedgerEntry | None:
        """The entry of a message."""
        entries = (entry for _, entry in self._file.entries(LedgerEntry.model_validate_json, newest_first=True))
        return next((entry for entry in entries if entry.message_id == message_id), None)

    def recipients_since_a_day(self) -> Iterator[tuple[datetime, int]]:
        """Return time and number of recipients of each send in the last 24 hours, which a restarted account counts."""
        start = datetime.now(UTC) - timedelta(days=1)
        for _, entry in self._file.entries(LedgerEntry.model_validate_json, newest_first=True):
            if entry.accepted_at < start:
                return
            yield entry.accepted_at, len(entry.to)

    def close(self) -> None:
        self._file.close()
