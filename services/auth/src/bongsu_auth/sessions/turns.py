"""Turns of tasks that would wait for one another in the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Lets a few tasks of this process proceed for each key.

    A task that waits here holds no connection. Where many wait for one row in the database, the pool has none left for
    the others.
    """

    def __init__(self, concurrent: int) -> None:
        self._concurrent = concurrent
        self._waiting: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def take(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn, which lasts until the block ends."""
        semaphore, users = self._waiting.get(key) or (asyncio.Semaphore(self._concurrent), 0)
        self._waiting[key] = semaphore, users + 1
        try:
            async with semaphore:
                yield
        finally:
            _, users = self._waiting[key]
            if users == 1:
                del self._waiting[key]
            else:
                self._waiting[key] = semaphore, users - 1
