"""Tasks that run beside other work."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from bongsu.runtime.logging import get_logger

log = get_logger(__name__)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    """Run `work` during the block, and cancel it at the end; it has ended when this returns.

    An error of the work is a defect: it is logged when it happens, and raised at the end of the block.

    :param name: the name of the task.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    try:
        yield
    finally:
        task.cancel()
        # Not `await task`: a CancelledError could be the task's or the caller's.
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background.failed", task=task.get_name(), exc_info=error)
