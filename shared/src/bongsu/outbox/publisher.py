"""Publishes what this process commits, right after the commit; the relay publishes the rest."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from bongsu.broker import Broker, Message
from bongsu.mixins import Database, MixinError, utc_now
from bongsu.outbox import service
from bongsu.outbox.models import OutboxMessage
from bongsu.outbox.relay import STRANDED_AFTER_S
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

CLAIM_S = 4.0
"""How long a committed row is this process's; then it is the relay's, because this process has died."""
PUBLISH_TIMEOUT_S = 2.0
MARK_EVERY_S = 0.5
"""How often confirmed rows are marked, all by one statement. Most are settled by then."""
REST_S = 5.0
"""How long rows are left to the relay after the broker did not confirm one."""
MAX_WAITING = 1_000
"""Messages that wait for the broker; further rows are left to the relay."""
BATCH = 200
RELAYED_LANES = frozenset({2})
"""The relay paces the lane of bulk messages."""


class Publisher:
    """Publishes the messages of committed units of work, in the background and with confirms.

    `append` claims a due row as a relay does, in the transaction that inserts it. Once it is confirmed, it is marked as
    published. If it is not confirmed, it becomes due immediately, for the relay. If this process dies, the claim ends.
    """

    def __init__(  # noqa: PLR0913 - two parts and four limits, for tests to pass others
        self,
        database: Database,
        broker: Broker,
        *,
        claim_s: float = CLAIM_S,
        mark_every_s: float = MARK_EVERY_S,
        rest_s: float = REST_S,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.claim_s = claim_s
        self._database = database
        self._broker = broker
        self._mark_every_s = mark_every_s
        self._rest_s = rest_s
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[str, Message]] = deque()
        self._confirmed: list[UUID] = []
        self._rests_until = 0.0
        self._marks_at = 0.0
        self._changed = asyncio.Event()
        self._is_stopping = False

    @asynccontextmanager
    async def run(self, *, drain_s: float = 3.0) -> AsyncIterator[None]:
        """Publish while the context is open. At its end, publish and mark what waits, for at most `drain_s`."""
        task = asyncio.create_task(self._keep_publishing(), name="outbox publisher")
        service.add_publisher(self._database, self)
        try:
            yield
        finally:
            service.remove_publisher(self._database)
            self._is_stopping = True
            self._changed.set()
            _, late = await asyncio.wait([task], timeout=drain_s)
            if late:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def accepts(self, lane: int, count: int) -> bool:
        """Whether it can publish so many messages of the lane now."""
        return (
            lane not in RELAYED_LANES
            and self._broker.connected
            and len(self._waiting) + count <= self._max_waiting
            and time.monotonic() >= self._rests_until
        )

    def publish(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Publish messages, by queue, whose rows are committed and claimed for `claim_s`."""
        self._waiting.extend(messages)
        self._changed.set()

    async def _keep_publishing(self) -> None:
        while not (self._is_stopping and not self._waiting and not self._confirmed):
            await self._wait()
            try:
                if self._waiting:
                    batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
                    await self._publish(batch)
                if self._confirmed and (self._is_stopping or time.monotonic() >= self._marks_at):
                    await self._mark()
            except (SQLAlchemyError, MixinError, OSError) as error:
                # The claims end by themselves, and the relay publishes the rows again.
                log.warning("outbox.not_marked", reason=type(error).__name__)
            except Exception:
                # A defect: without this, the publisher would stop without a sign.
                log.exception("outbox.publish_failed")

    async def _wait(self) -> None:
        if self._waiting or self._is_stopping:
            return
        self._changed.clear()
        timeout_s = max(0.0, self._marks_at - time.monotonic()) if self._confirmed else None
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _publish(self, batch: Sequence[tuple[str, Message]]) -> None:
        results = await self._broker.publish_many(batch, timeout_s=PUBLISH_TIMEOUT_S)
        ids = [UUID(message.id) for _, message in batch]
        if not self._confirmed:
            self._marks_at = time.monotonic() + self._mark_every_s
        self._confirmed += [key for key, problem in zip(ids, results, strict=True) if problem is None]
        refused = [key for key, problem in zip(ids, results, strict=True) if problem is not None]
        if refused:
            self._rests_until = time.monotonic() + self._rest_s
            reason = next(type(problem).__name__ for problem in results if problem is not None)
            log.warning("outbox.left_to_relay", count=len(refused), reason=reason)
            await self._database.run(_update, refused, visible_at=utc_now(), claimed_until=None)
            service.nudge()

    async def _mark(self) -> None:
        ids, self._confirmed = self._confirmed, []
        await self._database.run(
            _update, ids, published_at=utc_now(), visible_at=utc_now(STRANDED_AFTER_S), claimed_until=None
        )


async def _update(ids: Sequence[UUID], **values: object) -> None:
    """Update the rows that are still as committed, or claimed by a relay: not settled, postponed or published.

    Those that another transaction has locked are left: their consumer is settling or postponing them.
    """
    claimed = OutboxMessage.filter_by(id__in=sorted(ids), claimed_until__isnull=False, published_at=None)
    free = await claimed.lock(skip_locked=True).pluck("id")
    if free:
        await OutboxMessage.filter_by(id__in=free).update(**values)
