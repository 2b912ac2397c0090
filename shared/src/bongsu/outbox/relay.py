"""The relay: publishes due messages lane by lane, with confirms, and publishes lost ones again."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from bongsu.broker import Broker, BrokerError, BrokerUnavailable, PublishError, QueueSpec, Unroutable
from bongsu.mixins import Database, MixinError, utc_now
from bongsu.outbox import service
from bongsu.outbox.claims import Claimed, Claims
from bongsu.outbox.metrics import RelayMetrics
from bongsu.outbox.models import LANES, OutboxMessage
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

CLAIM_S = 30.0
"""How long a relay may take to publish what it has claimed; then another relay may claim it."""
STRANDED_AFTER_S = 60.0
"""How long a consumer may take to settle a published message before the relay checks on it."""
LONGEST_STRANDED_DOUBLINGS = 6
"""The time doubles with each check: a message that is never settled (it kills its consumers) must not circulate."""
LOST_AFTER_S = 900.0
"""A message published this long ago and not settled is published again even if its queue is not empty."""
PUBLISH_TIMEOUT_S = 3.0
TURN_TIMEOUT_S = 60.0
"""For one turn: a database that no longer responds would be awaited for ever, as the driver has no time limit."""
REFUSED_DELAYS_S = (1.0, 5.0, 15.0, 60.0)
"""Before a message that the broker refused (its queue does not exist, for example) is published again."""
UNAVAILABLE_DELAY_S = 1.0
"""Before a message is published again after the broker became unavailable."""
POLL_S = (0.1, 0.2, 0.5)
"""Between polls that find nothing; a nudge ends the wait."""
LOG_EVERY_S = 60.0
"""The same failure is logged once in this time."""
MEASURE_S = 10.0
COUNT_AT_MOST = 100_000
MARK_PAUSES_S = (0.1, 0.5, 1.0, 2.0, 4.0)

DATABASE_ERRORS = (SQLAlchemyError, MixinError, OSError)


class Relay:
    """Moves messages from the outbox to the broker. Any number of them may run, in any process.

    :param batch: how many messages it claims in one transaction.
    :param turn_timeout_s: for claiming and publishing one batch.
    :param queues: declared again when a message cannot be routed.
    :param registry: the registry of its metrics.
    """

    def __init__(  # noqa: PLR0913 - two parts and five options
        self,
        database: Database,
        broker: Broker,
        *,
        batch: int = 200,
        stranded_after_s: float = STRANDED_AFTER_S,
        turn_timeout_s: float = TURN_TIMEOUT_S,
        queues: Sequence[QueueSpec] = (),
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._broker = broker
        self._batch = batch
        self._stranded_after_s = stranded_after_s
        self._turn_timeout_s = turn_timeout_s
        self._queues = {spec.name: spec for spec in queues}
        self._claims = Claims(database, claim_s=CLAIM_S)
        self._metrics = RelayMetrics(registry or CollectorRegistry())
        self._logged_at: dict[str, float] = {}

    @asynccontextmanager
    async def run(self, *, drain_s: float = 3.5) -> AsyncIterator[None]:
        """Relay while the context is open. At its end, publish what is claimed, for at most `drain_s`: another relay
        publishes the rest.
        """
        stopping = asyncio.Event()
        tasks = [
            asyncio.create_task(self._keep_relaying(stopping), name="outbox relay"),
            asyncio.create_task(self._keep_measuring(stopping), name="outbox metrics"),
        ]
        try:
            yield
        finally:
            stopping.set()
            _, late = await asyncio.wait(tasks, timeout=drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def turn(self) -> int:
        """Publish one batch of the due messages.

        :returns: the number of messages that were published, refused, or found waiting in their queue.
        :raises BrokerUnavailable: not connected; nothing was claimed.
        """
        if not self._broker.connected:
            raise BrokerUnavailable("Not connected to the broker")
        taken = await self._claims.take(self._batch)
        if not taken:
            return 0
        # First, as the connection may be lost while the others are checked.
        moved = await self._publish([one for one in taken if not one.was_published])
        stranded = [one for one in taken if one.was_published]
        lost = await self._find_lost(stranded) if stranded else []
        return moved + len(stranded) - len(lost) + await self._publish(lost)

    async def measure(self) -> None:
        """Update the gauges."""
        for lane in LANES:
            due = OutboxMessage.filter_by(lane=lane, visible_at__le=utc_now(), published_at__isnull=True)
            self._metrics.pending.labels(lane).set(await due.limit(COUNT_AT_MOST).count())
            oldest: list[datetime] = await due.order_by("visible_at").limit(1).pluck("visible_at")
            age_s = (datetime.now(UTC) - oldest[0]).total_seconds() if oldest else 0.0
            self._metrics.oldest_age_s.labels(lane).set(max(age_s, 0.0))

    async def _keep_relaying(self, stopping: asyncio.Event) -> None:
        wake_up = service.add_wake_up()
        idle = 0
        try:
            while not stopping.is_set():
                wake_up.clear()
                if await self._turn_if_available():
                    idle = 0
                    continue
                await _wait_for_any(stopping, wake_up, timeout_s=POLL_S[min(idle, len(POLL_S) - 1)])
                idle += 1
        finally:
            service.remove_wake_up(wake_up)

    async def _turn_if_available(self) -> int:
        """Take one turn, unless broker or database are unavailable: then no message is claimed or refused."""
        try:
            async with asyncio.timeout(self._turn_timeout_s):
                return await self.turn()
        except BrokerUnavailable as error:
            self._log_once("outbox.broker_unavailable", reason=str(error))
        except DATABASE_ERRORS as error:
            self._log_once("outbox.database_unavailable", reason=type(error).__name__)
        except Exception:
            # A defect: without this, the relay would stop without a sign.
            log.exception("outbox.turn_failed")
        return 0

    async def _keep_measuring(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                async with asyncio.timeout(self._turn_timeout_s):
                    await self.measure()
            except DATABASE_ERRORS as error:
                self._log_once("outbox.database_unavailable", reason=type(error).__name__)
            await _wait_for_any(stopping, timeout_s=MEASURE_S)

    async def _find_lost(self, stranded: Sequence[Claimed]) -> Sequence[Claimed]:
        """Find the unsettled messages that the broker has lost, and release the others.

        A queue without ready messages has none of them: a message published into it long ago is lost.
        """
        empty: set[str] = set()
        for queue in {one.queue for one in stranded}:
            try:
                if await self._broker.depth(queue) == 0:
                    empty.add(queue)
            except BrokerUnavailable:
                await self._claims.release(stranded, delay_s=UNAVAILABLE_DELAY_S)
                raise
            except BrokerError:
                empty.add(queue)  # it was deleted, with its messages
        overdue = await self._claims.published_before(stranded, age_s=LOST_AFTER_S)
        lost = [one for one in stranded if one.queue in empty or one.id in overdue]
        lost_ids = {one.id for one in lost}
        await self._claims.release([one for one in stranded if one.id not in lost_ids], delay_s=self._stranded_after_s)
        for queue in {one.queue for one in stranded} - empty:
            # And all others of the queue: the relay must not keep reading the backlog of a slow consumer.
            await self._claims.defer(queue, published_within_s=LOST_AFTER_S, delay_s=self._stranded_after_s)
        if lost:
            log.warning("outbox.stranded_found", count=len(lost), queues=sorted({one.queue for one in lost}))
        for one in lost:
            self._metrics.stranded.labels(one.queue).inc()
        return lost

    async def _publish(self, claimed: Sequence[Claimed]) -> int:
        if not claimed:
            return 0
        items = [(one.queue, one.message) for one in claimed]
        results = await self._broker.publish_many(items, timeout_s=PUBLISH_TIMEOUT_S)
        confirmed: defaultdict[int, list[Claimed]] = defaultdict(list)
        unavailable: list[Claimed] = []
        refused: defaultdict[int, list[Claimed]] = defaultdict(list)
        for one, problem in zip(claimed, results, strict=True):
            if problem is None:
                confirmed[one.strandings + one.was_published].append(one)
                self._metrics.published.labels(one.queue).inc()
                continue
            self._count_refused(one, problem)
            if isinstance(problem, BrokerUnavailable):
                unavailable.append(one)
            else:
                refused[one.attempts].append(one)
        for strandings, group in confirmed.items():
            await self._mark_confirmed(group, strandings)
        await self._claims.release(unavailable, delay_s=UNAVAILABLE_DELAY_S)
        for attempts, group in refused.items():
            delay_s = REFUSED_DELAYS_S[min(attempts, len(REFUSED_DELAYS_S) - 1)]
            await self._claims.mark_refused(group, attempts=attempts + 1, delay_s=delay_s)
        await self._restore_queues(
            {one.queue for one, problem in zip(claimed, results, strict=True) if isinstance(problem, Unroutable)}
        )
        return len(claimed) - len(unavailable)

    async def _mark_confirmed(self, confirmed: Sequence[Claimed], strandings: int) -> None:
        """Retry for a while: a message that is not marked before its claim ends is published twice."""
        stranded_after_s = self._stranded_after_s * 2 ** min(strandings, LONGEST_STRANDED_DOUBLINGS)
        for pause_s in (*MARK_PAUSES_S, None):
            try:
                await self._claims.mark_confirmed(confirmed, strandings=strandings, stranded_after_s=stranded_after_s)
            except DATABASE_ERRORS:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
            else:
                return

    async def _restore_queues(self, names: set[str]) -> None:
        specs = [self._queues[name] for name in names if name in self._queues]
        with suppress(BrokerError):  # the next publish fails as well then
            await self._broker.declare(*specs)

    def _count_refused(self, one: Claimed, problem: PublishError) -> None:
        reason = type(problem).__name__
        self._metrics.refused.labels(one.queue, reason).inc()
        self._log_once("outbox.not_published", queue=one.queue, reason=reason)

    def _log_once(self, event: str, **fields: str) -> None:
        key = f"{event} {fields.get('queue', '')}"
        now = time.monotonic()
        if now - self._logged_at.get(key, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._logged_at[key] = now
            log.warning(event, **fields)


async def _wait_for_any(*events: asyncio.Event, timeout_s: float) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
