"""Keeps what a process knows of the database up to date by polling."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from bongsu.mixins import MixinError
from bongsu.runtime.background import in_background
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

POLL_TIMEOUT_S = 5.0
"""The default time limit of a poll."""


@contextlib.asynccontextmanager
async def polling(
    poll: Callable[[], Awaitable[None]], *, name: str, every_s: float, timeout_s: float
) -> AsyncIterator[None]:
    """Poll once, then in the background until the block ends. No failure ends the polling.

    :param name: for the task and the log.
    :param timeout_s: the drivers have no time limit of their own, and a connection can go silent for minutes.
    """

    async def poll_once() -> None:
        try:
            # The database log has these failures.
            with contextlib.suppress(SQLAlchemyError, MixinError, OSError):
                async with asyncio.timeout(timeout_s):
                    await poll()
        except Exception:
            log.exception("poll.failed", poll=name)

    async def keep_polling() -> None:
        while True:
            await asyncio.sleep(every_s)
            await poll_once()

    await poll_once()
    async with in_background(keep_polling(), name=name):
        yield
