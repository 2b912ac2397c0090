"""Discord's ids: milliseconds since 2015 and a counter, in JSON as strings."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

EPOCH_MS = 1_420_070_400_000
_COUNTER = 1 << 22


class Snowflakes:
    """Makes ids that grow, also when many are made in one millisecond."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last = 0

    def make(self) -> int:
        """A new id."""
        self._last = max(self._last + 1, (int(self._clock() * 1000) - EPOCH_MS) * _COUNTER)
        return self._last


def moment_of(snowflake: int) -> datetime:
    """When an id was made."""
    return datetime.fromtimestamp(((snowflake >> 22) + EPOCH_MS) / 1000, UTC)


def shard_of(guild_id: int, shards: int) -> int:
    """The shard that a guild's events go to."""
    return (guild_id >> 22) % shards


def parse(text: object) -> int | None:
    """An id as it was sent; None for what is none."""
    written = str(text) if isinstance(text, str | int) and not isinstance(text, bool) else ""
    return int(written) if written.isascii() and written.isdigit() and len(written) <= 20 else None
