"""The relay: takes what is due, lane by lane, publishes it with confirms, and takes again what was lost."""

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
"""How long a relay may take to publish what it took; then another one may."""
STRANDED_AFTER_S = 60.0
"""How long the consumer of a published message may take to settle it before the relay looks for it."""
LONGEST_STRANDED_DOUBLINGS = 6
"""It takes twice as long each time: what no consumer ever settles (it kills them, say) must not circulate for ever."""
LOST_AFTER_S = 900.0
"""Published this long ago and still not settled: published again even though its queue is not empty."""
PUBLISH_TIMEOUT_S = 3.0
TURN_S = 60.0
"""How long one turn may take. A database that vanished without a word would be waited for for ever: the driver has no
time limit of its own."""
BACK_OFF_S = (1.0, 5.0, 15.0, 60.0)
"""Before what the broker refused (no such queue, say) is tried again."""
AWAY_S = 1.0
"""Before what could not be published because the broker went away is tried again."""
POLL_S = (0.1, 0.2, 0.5)
"""Between looks that find nothing; a nudge ends the wait."""
QUIET_S = 60.0
"""The same trouble is logged once in so many seconds."""
MEASURE_S = 10.0
COUNT_AT_MOST = 100_000
MARK_PAUSES_S = (0.1, 0.5, 1.0, 2.0, 4.0)

DATABASE_TROUBLE = (SQLAlchemyError, MixinError, OSError)


class Relay:
    """Moves messages from the outbox to the broker. Any number of them may run, in any process.

    :param batch: how many messages it takes in one transaction.
    :param queues: declared again when a message finds that its queue is gone.
    :param registry: where its metrics go.
    """

    def __init__(  # noqa: PLR0913 - two parts and four knobs
        self,
        database: Database,
        broker: Broker,
        *,
        batch: int = 200,
        stranded_after_s: float = STRANDED_AFTER_S,
        queues: Sequence[QueueSpec] = (),
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._broker = broker
        self._batch = batch
        self._stranded_after_s = stranded_after_s
        self._queues = {spec.name: spec for spec in queues}
        self._claims = Claims(database, claim_s=CLAIM_S)
        self._metrics = RelayMetrics(registry or CollectorRegistry())
        self._told: dict[str, float] = {}

    @asynccontextmanager
    async def running(self, *, drain_s: float = 3.5) -> AsyncIterator[None]:
        """Relay for as long as the context is open; what is being published then is finished first (or let go after
        `drain_s`: another relay publishes it once more).
        """
        stopping = asyncio.Event()
        tasks = [
            asyncio.create_task(self._run(stopping), name="outbox relay"),
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
        """Publish one batch of what is due now.

        :returns: how many messages got further: published, refused, or found to be waiting in their queue.
        :raises BrokerUnavailable: not connected; nothing was taken.
        """
        if not self._broker.connected:
            raise BrokerUnavailable("Not connected to the broker")
        taken = await self._claims.take(self._batch)
        if not taken:
            return 0
        # First, as the broker may go away while it is asked about the others.
        moved = await self._publish([one for one in taken if not one.was_published])
        stranded = [one for one in taken if one.was_published]
        lost = await self._find_lost(stranded) if stranded else []
        return moved + len(stranded) - len(lost) + await self._publish(lost)

    async def measure(self) -> None:
        """Bring the gauges up to date."""
        for lane in LANES:
            due = OutboxMessage.filter_by(lane=lane, visible_at__le=utc_now(), published_at__isnull=True)
            self._metrics.pending.labels(lane).set(await due.limit(COUNT_AT_MOST).count())
            oldest: list[datetime] = await due.order_by("visible_at").limit(1).pluck("visible_at")
            age_s = (datetime.now(UTC) - oldest[0]).total_seconds() if oldest else 0.0
            self._metrics.oldest_age_s.labels(lane).set(max(age_s, 0.0))

    async def _run(self, stopping: asyncio.Event) -> None:
        wake_up = service.wake_up()
        idle = 0
        try:
            while not stopping.is_set():
                wake_up.clear()
                if await self._turn_or_trouble():
                    idle = 0
                    continue
                await _wait_for_one(stopping, wake_up, timeout_s=POLL_S[min(idle, len(POLL_S) - 1)])
                idle += 1
        finally:
            service.forget(wake_up)

    async def _turn_or_trouble(self) -> int:
        """One turn; while the broker or the database is away, none: nothing is taken, so nothing is spent."""
        try:
            async with asyncio.timeout(TURN_S):
                return await self.turn()
        except BrokerUnavailable as error:
            self._tell_once("outbox.broker_unavailable", reason=str(error))
        except DATABASE_TROUBLE as error:
            self._tell_once("outbox.database_unavailable", reason=type(error).__name__)
        except Exception:
            # A relay that ended by a defect would be noticed by nobody but those who wait for their mail.
            log.exception("outbox.turn_failed")
        return 0

    async def _keep_measuring(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                async with asyncio.timeout(TURN_S):
                    await self.measure()
            except DATABASE_TROUBLE as error:
                self._tell_once("outbox.database_unavailable", reason=type(error).__name__)
            await _wait_for_one(stopping, timeout_s=MEASURE_S)

    async def _find_lost(self, stranded: Sequence[Claimed]) -> Sequence[Claimed]:
        """Of what was published and not settled: what the broker has lost. The rest is put back to wait on.

        A queue without ready messages holds none of ours: what was published into it long ago is with nobody.
        """
        empty: set[str] = set()
        for queue in {one.queue for one in stranded}:
            try:
                if await self._broker.depth(queue) == 0:
                    empty.add(queue)
            except BrokerUnavailable:
                await self._claims.put_back(stranded, delay_s=AWAY_S)
                raise
            except BrokerError:
                empty.add(queue)  # it is gone, with all that was in it
        overdue = await self._claims.published_before(stranded, age_s=LOST_AFTER_S)
        lost = [one for one in stranded if one.queue in empty or one.id in overdue]
        lost_ids = {one.id for one in lost}
        await self._claims.put_back([one for one in stranded if one.id not in lost_ids], delay_s=self._stranded_after_s)
        for queue in {one.queue for one in stranded} - empty:
            # With these, all the others: a consumer that is far behind must not keep the relay reading what waits.
            await self._claims.put_off(queue, published_within_s=LOST_AFTER_S, delay_s=self._stranded_after_s)
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
        away: list[Claimed] = []
        refused: defaultdict[int, list[Claimed]] = defaultdict(list)
        for one, problem in zip(claimed, results, strict=True):
            if problem is None:
                confirmed[one.strandings + one.was_published].append(one)
                self._metrics.published.labels(one.queue).inc()
                continue
            self._refused(one, problem)
            if isinstance(problem, BrokerUnavailable):
                away.append(one)
            else:
                refused[one.attempts].append(one)
        for strandings, group in confirmed.items():
            await self._mark_confirmed(group, strandings)
        await self._claims.put_back(away, delay_s=AWAY_S)
        for attempts, group in refused.items():
            delay_s = BACK_OFF_S[min(attempts, len(BACK_OFF_S) - 1)]
            await self._claims.refused(group, attempts=attempts + 1, delay_s=delay_s)
        await self._restore_queues(
            {one.queue for one, problem in zip(claimed, results, strict=True) if isinstance(problem, Unroutable)}
        )
        return len(claimed) - len(away)

    async def _mark_confirmed(self, confirmed: Sequence[Claimed], strandings: int) -> None:
        """Try for a while: what is not marked before the claim ends is published twice."""
        stranded_after_s = self._stranded_after_s * 2 ** min(strandings, LONGEST_STRANDED_DOUBLINGS)
        for pause_s in (*MARK_PAUSES_S, None):
            try:
                await self._claims.confirmed(confirmed, strandings=strandings, stranded_after_s=stranded_after_s)
            except DATABASE_TROUBLE:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
            else:
                return

    async def _restore_queues(self, names: set[str]) -> None:
        specs = [self._queues[name] for name in names if name in self._queues]
        with suppress(BrokerError):  # the next attempt to publish tells
            await self._broker.declare(*specs)

    def _refused(self, one: Claimed, problem: PublishError) -> None:
        reason = type(problem).__name__
        self._metrics.refused.labels(one.queue, reason).inc()
        self._tell_once("outbox.not_published", queue=one.queue, reason=reason)

    def _tell_once(self, event: str, **fields: str) -> None:
        key = f"{event} {fields.get('queue', '')}"
        now = time.monotonic()
        if now - self._told.get(key, -QUIET_S) >= QUIET_S:
            self._told[key] = now
            log.warning(event, **fields)


async def _wait_for_one(*events: asyncio.Event, timeout_s: float) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
