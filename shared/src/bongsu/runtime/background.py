"""Work beside other work."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from bongsu.runtime.logging import get_logger

log = get_logger(__name__)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    """Run `work` for as long as the block runs: at the block's end it is cancelled, and has ended when this returns.

    Work that fails is a defect: it is logged when it happens, and raised at the end of the block.

    :param name: the task's, for the log and for whoever looks at the tasks of a process.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_tell_failure)
    try:
        yield
    finally:
        task.cancel()
        # Not `await task`: its cancellation could not be told from ours.
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background.failed", task=task.get_name(), exc_info=error)
