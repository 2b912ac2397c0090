"""Hashing passwords: argon2id, in threads of its own, with a bounded queue.

argon2 takes 30 ms of a core on purpose. On the event loop, ten sign-ins would stop everything else for a third of a
second; in an unbounded pool, a storm of them would take minutes. Here the rest are told to come back (503).
"""

import asyncio
import os
import secrets
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from bongsu.runtime.errors import Unavailable

MIN_CHARS = 10
MAX_CHARS = 256

_HASH = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
_SECONDS_EACH = 0.03

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password is right; and its new hash, where the old one was made with weaker parameters."""

    right: bool
    rehashed: str | None = None


class PasswordHasher:
    """Hashes and verifies off the event loop.

    :param workers: threads; 0 means one a core.
    :param queue: how many may wait for a thread.
    """

    def __init__(self, *, workers: int = 0, queue: int = 128) -> None:
        self._workers = workers or os.cpu_count() or 1
        self._limit = self._workers + queue
        self._pending = 0
        self._counting = threading.Lock()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="argon2")
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to be stored.

        :raises Unavailable: too many are waiting.
        """
        return await self._run(lambda: _HASH.hash(_canonical(password)))

    async def verify(self, password: str, hashed: str | None) -> Verdict:
        """Whether the password is the one that was hashed. With no hash it is not, after the same work.

        :raises Unavailable: too many are waiting.
        """
        return await self._run(lambda: self._verify(_canonical(password), hashed))

    def close(self) -> None:
        """Ends the threads; what waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password: str, hashed: str | None) -> Verdict:
        if not hashed:
            if self._decoy is None:
                self._decoy = _HASH.hash(secrets.token_urlsafe())
            _HASH.verify(password, self._decoy)
            return Verdict(right=False)
        right, rehashed = _HASH.verify_and_update(password, hashed)
        return Verdict(right, rehashed)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._limit:
            raise Unavailable(
                "Too many sign-ins at once; try again",
                code="password_queue_full",
                retry_after_s=max(1.0, self._pending * _SECONDS_EACH / self._workers),
            )
        with self._counting:
            self._pending += 1
        future = self._pool.submit(work)
        # Counted until the thread is done with it, not until the caller has gone.
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def _done(self, _future: object) -> None:
        with self._counting:
            self._pending -= 1


def _canonical(password: str) -> str:
    """One form for what looks the same: keyboards send 가 as one character or as two."""
    return unicodedata.normalize("NFC", password)
