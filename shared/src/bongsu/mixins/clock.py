"""The clocks, the database's and this process's, and the keys that sort by time (UUIDv7, RFC 9562)."""

import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.types import BigInteger

from bongsu.mixins.types import Spelled, UTCDateTime


class _DatabaseNow(
    Spelled[datetime],
    # SQLite's clock has milliseconds; six digits make it compare as text with what UTCDateTime stores.
    sqlite="(strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+.6f seconds', {0} / 1000000.0)) || '000')",
    mysql="(UTC_TIMESTAMP(6) + INTERVAL {0} MICROSECOND)",
):
    """The database's time plus microseconds."""

    type = UTCDateTime()
    name = "utc_now"


def utc_now(offset_s: float = 0) -> ColumnElement[datetime]:
    """The DATABASE's clock in UTC plus `offset_s` seconds, as an SQL expression for where, insert and update.

    Microseconds on MySQL and MariaDB, milliseconds on SQLite. The time is that of the statement's start.
    """
    return _DatabaseNow(bindparam(None, round(offset_s * 1_000_000), type_=BigInteger()))


def python_now() -> datetime:
    """This process's clock, aware, in UTC."""
    return datetime.now(UTC)


_RANDOM_BITS = 74  # rand_a (12) and rand_b (62)
_STEP_BITS = 32


class _Sequence:
    """Makes the keys of one process strictly increasing, also within a millisecond and when the clock goes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0
        self._random = 0

    def next(self) -> tuple[int, int]:
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            if now_ms > self._last_ms:
                self._last_ms = now_ms
                # The top bit starts at 0, so that a millisecond has room for 2^41 steps before it overflows.
                self._random = int.from_bytes(os.urandom(10)) >> (80 - _RANDOM_BITS + 1)
            else:
                self._random += 1 + (int.from_bytes(os.urandom(4)) >> (32 - _STEP_BITS))
                if self._random >> _RANDOM_BITS:
                    self._last_ms += 1
                    self._random = int.from_bytes(os.urandom(10)) >> (80 - _RANDOM_BITS + 1)
            return self._last_ms, self._random


_sequence = _Sequence()
# A forked child must not go on with its parent's counter.
os.register_at_fork(after_in_child=_sequence.__init__)  # type: ignore[misc]  # resets the object in place


def uuid7() -> UUID:
    """A new UUIDv7; each is greater than every one that this process made before."""
    ms, random = _sequence.next()
    rand_a, rand_b = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=(ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)
