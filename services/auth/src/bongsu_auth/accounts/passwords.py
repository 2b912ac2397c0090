"""Password hashing: argon2id, in threads of its own, with a bounded queue.

argon2 takes 30 ms of a core on purpose. On the event loop, ten sign-ins would stop everything else for a third of a
second; in an unbounded pool, a storm of them would take minutes. Beyond the queue, requests get 503 and a Retry-After.

In a storm, a thread hashes a few passwords before it returns their results, so that their sign-ins share transactions.
"""

import asyncio
import os
import secrets
import unicodedata
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from bongsu.runtime.errors import Unavailable

MIN_CHARS = 10
MAX_CHARS = 256

OWASP_MINIMUM = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

_SECONDS_EACH = 0.03
_MOST_TOGETHER = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a comparison, and a new hash if the old one was made with weaker parameters."""

    right: bool
    rehashed: str | None = None


class PasswordHasher:
    """Runs fastapi-users' password helper outside of the event loop.

    :param workers: threads; 0 means one per core.
    :param queue: how many calls may wait for a thread.
    :param argon2: the cost of a hash.
    """

    def __init__(self, *, workers: int = 0, queue: int = 128, argon2: Argon2Hasher = OWASP_MINIMUM) -> None:
        self.helper = PasswordHelper(PasswordHash((argon2,)))
        self._workers = workers or os.cpu_count() or 1
        self._limit = self._workers + queue
        self._pending = 0
        self._waiting: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="argon2")
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash to be stored.

        :raises Unavailable: the queue is full.
        """
        return await self._run(lambda: self.helper.hash(_canonical(password)))

    async def verify(self, password: str, hashed: str | None) -> Verdict:
        """Compare a password with a hash. Without a hash the verdict is negative, after the same work.

        :raises Unavailable: the queue is full.
        """
        return await self._run(lambda: self._verify(_canonical(password), hashed))

    def close(self) -> None:
        """Stop the threads and drop the queue."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        while self._waiting:
            self._waiting.popleft()[1].cancel()

    def _verify(self, password: str, hashed: str | None) -> Verdict:
        if not hashed:
            if self._decoy is None:
                self._decoy = self.helper.hash(secrets.token_urlsafe())
            self.helper.verify_and_update(password, self._decoy)
            return Verdict(right=False)
        right, rehashed = self.helper.verify_and_update(password, hashed)
        return Verdict(right, rehashed)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._limit:
            raise Unavailable(
                "Too many sign-ins at the same time. Try again later.",
                code="password_queue_full",
                retry_after_s=max(1.0, self._pending * _SECONDS_EACH / self._workers),
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._pending += 1
        self._waiting.append((work, future))
        self._pool.submit(self._work, loop)
        return await future

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do this thread's share of what waits: nothing, where others have done it."""
        share = min(-(-len(self._waiting) // self._workers), _MOST_TOGETHER)
        done: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        while len(done) < share:
            try:
                work, future = self._waiting.popleft()
            except IndexError:
                break
            try:
                done.append((future, None if future.cancelled() else work(), None))
            except Exception as error:  # noqa: BLE001 - it is the caller's
                done.append((future, None, error))
        if done:
            loop.call_soon_threadsafe(self._deliver, done)

    def _deliver(self, done: Sequence[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
        # A place is free when its thread has finished, not when the caller has disconnected.
        self._pending -= len(done)
        for future, result, error in done:
            if future.cancelled():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)


def password_problem(password: str, email: str | None) -> str | None:
    """Return the reason to refuse a new password, or None."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        return f"A password has {MIN_CHARS} to {MAX_CHARS} characters"
    if email is not None and password.strip().casefold() in (email.casefold(), email.partition("@")[0].casefold()):
        return "The password must not be the email address"
    if password.strip().casefold() in common_passwords():
        return "The password is too common. Choose one that is harder to guess."
    return None


@cache
def common_passwords() -> frozenset[str]:
    """Return the passwords that attackers try first, in lower case: those of zxcvbn's list that are long enough."""
    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_CHARS)


def _canonical(password: str) -> str:
    """Return one form of texts that look the same: keyboards send 가 as one character or as two."""
    return unicodedata.normalize("NFC", password)
