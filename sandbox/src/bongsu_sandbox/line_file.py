"""An append-only file of JSON lines that survives `kill -9`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from bongsu.runtime.errors import StartError

Entry = TypeVar("Entry")


class LineFile:
    """One JSON document a line, each written with one call, so that a killed process leaves whole lines.

    A machine that loses power may lose the newest lines: nothing is synced to disk.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.size_bytes = self._drop_broken_tail()

    def _drop_broken_tail(self) -> int:
        size_bytes = self.path.read_bytes().rfind(b"\n") + 1
        os.truncate(self._fd, size_bytes)
        return size_bytes

    def append(self, line: bytes) -> int:
        """Write a line (without its newline). Returns the offset at which it begins."""
        offset = self.size_bytes
        written = memoryview(line + b"\n")
        while written:
            count = os.write(self._fd, written)
            self.size_bytes += count
            written = written[count:]
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """Read bytes from an offset of `append`; fewer at the end of the file."""
        parts = []
        while length > 0 and (part := os.pread(self._fd, length, offset)):
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def lines(self) -> list[bytes]:
        """Read all lines, oldest first, without newlines."""
        return self.read(0, self.size_bytes).splitlines()

    def entries(self, read: Callable[[bytes], Entry], *, newest_first: bool = False) -> Iterator[tuple[bytes, Entry]]:
        """Yield each line with its parsed entry; `read` raises ValueError for a malformed line.

        :raises StartError: a line is malformed.
        """
        numbered = [*enumerate(self.lines(), start=1)]
        for number, line in reversed(numbered) if newest_first else numbered:
            try:
                entry = read(line)
            except ValueError as error:
                raise StartError(f"Cannot read line {number} of {self.path}: fix it or remove the file") from error
            yield line, entry

    def close(self) -> None:
        os.close(self._fd)


def json_page(lines: list[bytes], following: object) -> bytes:
    """Join JSON lines to a page of a list; `following` is the `after` of the next page, or None at the end."""
    rest = b"null" if following is None else f'"{following}"'.encode()
    return b'{"items":[' + b",".join(lines) + b'],"next":' + rest + b"}"
