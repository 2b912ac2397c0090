"""Discord's IDs: milliseconds since 2015 and a counter, strings in JSON."""

import time
from collections.abc import Callable

EPOCH_MS = 1_420_070_400_000
_COUNTER = 1 << 22


class Snowflakes:
    """Generates increasing IDs."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last = 0

    def make(self) -> int:
        self._last = max(self._last + 1, (int(self._clock() * 1000) - EPOCH_MS) * _COUNTER)
        return self._last


def shard_of(guild_id: int, shards: int) -> int:
    return (guild_id >> 22) % shards


def parse(text: object) -> int | None:
    """Parse an ID; None if it is malformed."""
    written = str(text) if isinstance(text, str | int) and not isinstance(text, bool) else ""
    return int(written) if written.isascii() and written.isdigit() and len(written) <= 20 else None
