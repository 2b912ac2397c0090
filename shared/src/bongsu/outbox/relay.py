"""The relay: takes what is due, lane by lane, publishes it with confirms, and takes again what was lost."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from bongsu.broker import Broker, BrokerError, BrokerUnavailable, Message, PublishError
from bongsu.mixins import Database, MixinError, utc_now
from bongsu.outbox import service
from bongsu.outbox.models import OutboxMessage
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

LANES = (0, 1, 2)
CLAIM_S = 30.0
"""How long a relay may take to publish what it took; then another one may."""
STRANDED_AFTER_S = 60.0
"""How long the consumer of a published message may take to settle it before the relay looks for it."""
LOST_AFTER = timedelta(minutes=15)
"""Published this long ago and still not settled: published again even though its queue is not empty."""
BACK_OFF_S = (1.0, 5.0, 15.0, 60.0)
"""Before what the broker refused (no such queue, say) is tried again."""
POLL_S = (0.1, 0.2, 0.5)
"""Between looks that find nothing; a nudge ends the wait."""
QUIET_S = 60.0
"""The same trouble is logged once in so many seconds."""


class Relay:
    """Moves messages from the outbox to the broker. Any number of them may run, in any process.

    :param batch: how many messages it takes in one transaction.
    """

    def __init__(
        self, database: Database, broker: Broker, *, batch: int = 200, stranded_after_s: float = STRANDED_AFTER_S
    ) -> None:
        self._database = database
        self._broker = broker
        self._batch = batch
        self._stranded_after_s = stranded_after_s
        self._told: dict[str, float] = {}
        self.published = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relay for as long as the context is open; what is being published then is finished first."""
        stopping = asyncio.Event()
        task = asyncio.create_task(self._run(stopping), name="outbox relay")
        try:
            yield
        finally:
            stopping.set()
            await task

    async def _run(self, stopping: asyncio.Event) -> None:
        wake_up = service.wake_up()
        idle = 0
        try:
            while not stopping.is_set():
                wake_up.clear()
                moved = await self._turn_or_trouble()
                idle = 0 if moved else idle + 1
                if not moved:
                    await _wait_for_one(stopping, wake_up, timeout_s=POLL_S[min(idle, len(POLL_S)) - 1])
        finally:
            service.forget(wake_up)

    async def _turn_or_trouble(self) -> int:
        """One turn; while the broker or the database is away, none: nothing is taken, so nothing is spent."""
        try:
            return await self.turn()
        except BrokerUnavailable as error:
            self._tell_once("outbox.broker_unavailable", error=str(error))
        except (SQLAlchemyError, MixinError, OSError) as error:
            self._tell_once("outbox.database_unavailable", error=type(error).__name__)
        return 0

    async def turn(self) -> int:
        """Publish one batch of what is due now.

        :returns: how many messages were taken.
        :raises BrokerUnavailable: not connected; nothing was taken.
        """
        if not self._broker.connected:
            raise BrokerUnavailable("not connected to the broker")
        taken = await self._take()
        if not taken:
            return 0
        fresh = [one for one in taken if one.published_at is None]
        lost, waiting = await self._find_lost([one for one in taken if one.published_at is not None])
        await self._put_off(waiting, self._stranded_after_s)
        if lost:
            log.warning("outbox.stranded_republished", count=len(lost))
        await self._publish([*fresh, *lost])
        return len(taken)

    async def _take(self) -> Sequence[OutboxMessage]:
        """Claim what is due, the most urgent lane first, by moving it out of sight for a while."""
        # READ COMMITTED: the default level would lock the gaps between rows, and with them what services append.
        async with self._database.unit(isolation=self._isolation()):
            taken: list[OutboxMessage] = []
            for lane in LANES:
                due = OutboxMessage.filter_by(lane=lane, visible_at__le=utc_now()).order_by("visible_at", "id")
                taken += await due.limit(self._batch - len(taken)).lock(skip_locked=True).all()
                if len(taken) >= self._batch:
                    break
            if taken:
                await OutboxMessage.filter_by(id__in=[one.id for one in taken]).update(
                    visible_at=utc_now(CLAIM_S), attempts=OutboxMessage.attempts + 1
                )
            return taken

    def _isolation(self) -> str | None:
        return None if self._database.dialect_name == "sqlite" else "READ COMMITTED"

    async def _find_lost(
        self, published: Sequence[OutboxMessage]
    ) -> tuple[Sequence[OutboxMessage], Sequence[OutboxMessage]]:
        """Of what was published and not settled: what the broker has lost, and what may still wait in its queue.

        A queue without ready messages holds none of ours: what was published into it long ago is with nobody.
        """
        depths: dict[str, int] = {}
        for queue in {one.queue for one in published}:
            try:
                depths[queue] = await self._broker.depth(queue)
            except BrokerUnavailable:
                depths[queue] = 1
            except BrokerError:
                depths[queue] = 0
        now = datetime.now(UTC)
        lost = [
            one
            for one in published
            if depths[one.queue] == 0 or (one.published_at is not None and now - one.published_at > LOST_AFTER)
        ]
        return lost, [one for one in published if one not in lost]

    async def _publish(self, messages: Sequence[OutboxMessage]) -> None:
        if not messages:
            return
        items = [(one.queue, _message(one)) for one in messages]
        results = await self._broker.publish_many(items)
        confirmed = [one.id for one, problem in zip(messages, results, strict=True) if problem is None]
        refused = [(one, problem) for one, problem in zip(messages, results, strict=True) if problem is not None]
        async with self._database.unit():
            # A consumer may have settled a message already; its row is gone, and that is right.
            await OutboxMessage.filter_by(id__in=confirmed).update(
                published_at=utc_now(), visible_at=utc_now(self._stranded_after_s)
            )
            for one, problem in refused:
                await self._refuse(one, problem)
        self.published += len(confirmed)

    async def _refuse(self, one: OutboxMessage, problem: PublishError) -> None:
        """Try again: at once after a lost connection, which is nobody's fault; with a growing delay otherwise."""
        away = isinstance(problem, BrokerUnavailable)
        delay_s = POLL_S[0] if away else BACK_OFF_S[min(one.attempts, len(BACK_OFF_S) - 1)]
        await OutboxMessage.filter_by(id=one.id).update(
            visible_at=utc_now(delay_s), attempts=one.attempts if away else one.attempts + 1
        )
        self._tell_once("outbox.not_published", queue=one.queue, error=type(problem).__name__)

    async def _put_off(self, messages: Sequence[OutboxMessage], delay_s: float) -> None:
        if messages:
            async with self._database.unit():
                await OutboxMessage.filter_by(id__in=[one.id for one in messages]).update(visible_at=utc_now(delay_s))

    def _tell_once(self, event: str, **fields: object) -> None:
        key = f"{event} {fields.get('queue', '')}"
        now = time.monotonic()
        if now - self._told.get(key, -QUIET_S) >= QUIET_S:
            self._told[key] = now
            log.warning(event, **fields)


def _message(one: OutboxMessage) -> Message:
    return Message(id=str(one.id), body=one.body, headers=one.headers)


async def _wait_for_one(*events: asyncio.Event, timeout_s: float) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    _, pending = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()
