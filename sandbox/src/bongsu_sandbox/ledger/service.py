"""Every send that was accepted, for ever: what tests hold against what was asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from bongsu_sandbox.ledger.schemas import LedgerEntry
from bongsu_sandbox.line_file import LineFile

_ENTRY = TypeAdapter(LedgerEntry)


class Ledger:
    """Accepted sends in a file of JSON lines; only their number is held in memory."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)
        self.count = sum(1 for _ in self._file.lines())

    def append(self, entry: LedgerEntry) -> None:
        """Record a send; it is on file when this returns."""
        self._file.append(_ENTRY.dump_json(entry, exclude_none=True))
        self.count += 1

    def page(self, after: int, limit: int | None) -> tuple[list[bytes], int | None]:
        """Entries as JSON, oldest first, from the offset that an earlier call gave (0: the beginning).

        Returns them and the offset of the rest, None where there is none.
        """
        if not 0 <= after < self._file.size_bytes:
            return [], None
        lines = self._file.read(after, self._file.size_bytes - after).splitlines()
        if limit is None or len(lines) <= limit:
            return lines, None
        return lines[:limit], after + sum(len(line) + 1 for line in lines[:limit])

    def newest(self, limit: int) -> list[LedgerEntry]:
        """The newest entries, newest first."""
        lines = self._file.lines()[-limit:]
        return [_ENTRY.validate_json(line) for line in reversed(lines)]

    def recipients_since_a_day(self) -> Iterator[tuple[datetime, int]]:
        """When and to how many, for each send of the last 24 hours: what a restarted account counts on from."""
        start = datetime.now(UTC) - timedelta(days=1)
        for _, entry in self._file.entries(_ENTRY.validate_json, newest_first=True):
            if entry.accepted_at < start:
                return
            yield entry.accepted_at, len(entry.to)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
