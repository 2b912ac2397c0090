"""Tasks that run beside other work."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar, overload

from bongsu.runtime.logging import get_logger

log = get_logger(__name__)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
Work = Coroutine[Any, Any, A]


@overload
async def together(first: Work[A], second: Work[B], /) -> tuple[A, B]: ...
@overload
async def together(first: Work[A], second: Work[B], third: Work[C], /) -> tuple[A, B, C]: ...
@overload
async def together(first: Work[A], second: Work[B], third: Work[C], fourth: Work[D], /) -> tuple[A, B, C, D]: ...
async def together(*works: Work[Any]) -> tuple[Any, ...]:
    """Run works at the same time, and return their results, in order.

    `asyncio.gather` lets the others go on when one fails: here they are cancelled, and have ended when it is raised.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return tuple(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


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
