"""Runs a consumer's handler over its deliveries: in batches, several at a time, drained at the end.

Both adapters use it. It has no task of its own: a delivery, a timer or a finished handler starts the next batch.
"""

import asyncio
from collections import deque

from bongsu.broker.port import BatchHandler, Delivery
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)


class BatchRunner:
    """Collects deliveries into batches of at most `batch_max`, each waiting at most `batch_wait_s`."""

    def __init__(
        self,
        queue: str,
        handler: BatchHandler,
        *,
        batch_max: int = 1,
        batch_wait_s: float = 0,
        concurrency: int | None = None,
    ) -> None:
        self._queue = queue
        self._handler = handler
        self._batch_max = batch_max
        self._batch_wait_s = batch_wait_s
        self._concurrency = concurrency
        self._waiting: deque[tuple[float, Delivery]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def offer(self, delivery: Delivery) -> None:
        """Add a delivery, which is handled as soon as its batch is due."""
        self._waiting.append((asyncio.get_running_loop().time(), delivery))
        self._advance()

    def close(self) -> None:
        """Start no more handlers."""
        self._closed = True
        self._disarm()

    def discard_lost(self) -> None:
        """Forget waiting deliveries that were lost with their connection."""
        self._waiting = deque(entry for entry in self._waiting if not entry[1].lost)

    @property
    def runs_here(self) -> bool:
        """Whether the current task is one of its handlers."""
        return asyncio.current_task() in self._running

    async def drain(self, timeout_s: float | None) -> None:
        """Start no more handlers, and wait for those that run (but not for the one that calls this).

        After `timeout_s` they are cancelled.
        """
        self.close()
        self._waiting.clear()
        running = self._running - {asyncio.current_task()}
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=timeout_s)
        for task in late:
            task.cancel()
        if late:
            log.warning("consumer.handlers_cancelled", queue=self._queue, count=len(late), after_s=timeout_s)
            await asyncio.wait(late)

    def _advance(self) -> None:
        self._disarm()
        loop = asyncio.get_running_loop()
        while self._waiting and not self._closed:
            if self._concurrency is not None and len(self._running) >= self._concurrency:
                return
            since, _ = self._waiting[0]
            if len(self._waiting) < self._batch_max and loop.time() < since + self._batch_wait_s:
                self._timer = loop.call_at(since + self._batch_wait_s, self._flush)
                return
            self._start()

    def _flush(self) -> None:
        # The loop may call a timer early by its clock's resolution, so the time is not checked again.
        self._timer = None
        self._start()
        self._advance()

    def _start(self) -> None:
        batch = [self._waiting.popleft()[1] for _ in range(min(self._batch_max, len(self._waiting)))]
        batch = [delivery for delivery in batch if not delivery.lost]
        if batch:
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._advance()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _run(self, batch: list[Delivery]) -> None:
        # What arrived since the batch was due, in the same turn of the event loop, goes with it.
        while self._waiting and len(batch) < self._batch_max and not self._closed:
            _, delivery = self._waiting.popleft()
            if not delivery.lost:
                batch.append(delivery)
        try:
            await self._handler([*batch])
        except Exception:
            unsettled = [delivery for delivery in batch if not delivery.settled]
            log.exception(
                "consumer.handler_failed",
                queue=self._queue,
                requeued=len(unsettled),
                message_ids=[delivery.message.id for delivery in unsettled][:10],
            )
            for delivery in unsettled:
                await delivery.reject(requeue=True)
