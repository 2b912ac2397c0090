"""A consumer that survives lost connections, closed channels and deleted queues."""

import asyncio
from typing import Protocol

from bongsu.broker.base import Source
from bongsu.broker.batching import BatchRunner
from bongsu.broker.errors import AccessRefused, BrokerError, BrokerUnavailable, QueueInUse, QueueMismatch, QueueMissing
from bongsu.broker.rabbitmq.link import Link
from bongsu.broker.rabbitmq.session import ConsumerSession, Place
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

FIRST_ATTEMPT_S = 5.0
RETRY_S = (0.1, 5.0)


class ConsumerOwner(Protocol):
    """Receives the events of a consumer."""

    def consumer_lost(self, consumer: "RabbitConsumer") -> None:
        """Its session ended, with all its deliveries; it opens a new one."""

    def consumer_failing(self, consumer: "RabbitConsumer", error: BrokerError, failing_s: float) -> None:
        """It has failed for so long, although the broker is connected."""

    def consumer_closed(self, consumer: "RabbitConsumer") -> None:
        """It was cancelled."""


class RabbitConsumer:
    """Consumes a source's queue, which is found or declared on each new channel.

    A supervising task opens a session, and another whenever one has ended.
    """

    def __init__(
        self, link: Link, source: Source[Place], runner: BatchRunner, owner: ConsumerOwner, *, probe_every_s: float
    ) -> None:
        self._probe_every_s = probe_every_s
        self._link = link
        self._source = source
        self._runner = runner
        self._owner = owner
        self._session: ConsumerSession | None = None
        self._cancelled: asyncio.Event | None = None
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supervisor = asyncio.create_task(self._supervise())

    @property
    def name(self) -> str:
        """The queue or topic that it consumes, for logs."""
        return self._source.name

    @property
    def running(self) -> bool:
        """Whether messages are delivered to it now."""
        return self._session is not None and self._session.consuming and self._cancelled is None

    @property
    def address(self) -> str | None:
        """The name of its current queue."""
        return self._session.queue_name if self._session is not None and self.running else None

    async def wait_started(self) -> None:
        """Wait until it consumes for the first time; while disconnected, return without waiting.

        :raises BrokerError: it failed with an error that no retry can solve; the consumer is cancelled.
        """
        if not self._link.up:
            return
        try:
            async with asyncio.timeout(FIRST_ATTEMPT_S):
                await asyncio.shield(self._started)
        except (QueueMissing, QueueMismatch, QueueInUse, AccessRefused):
            await self.cancel()
            raise
        except TimeoutError:
            log.warning("consumer.start_delayed", queue=self.name)

    async def cancel(self, *, drain_s: float | None = None) -> None:
        """As `Consumer.cancel`."""
        if self._cancelled is not None:
            if not self._runner.runs_here:
                await self._cancelled.wait()
            return
        self._cancelled = asyncio.Event()
        try:
            self._runner.close()
            if self._session is not None:
                await self._session.stop()
            await self._runner.drain(drain_s)
        finally:
            self._supervisor.cancel()
            self._owner.consumer_closed(self)
            self._cancelled.set()
        # The supervisor closes the channel at its end, after the last acknowledgement.
        await asyncio.wait([self._supervisor])

    async def _supervise(self) -> None:
        pause_s, longest_s = RETRY_S
        clock = asyncio.get_running_loop().time
        failing_since: float | None = None
        while self._cancelled is None:
            connection = await self._link.wait_up()
            try:
                session = await ConsumerSession.open(connection, self._source, self._runner)
                await self._keep(session)
                pause_s, failing_since = RETRY_S[0], None
            except BrokerUnavailable as error:
                log.info("consumer.interrupted", queue=self.name, reason=str(error))
            except BrokerError as error:
                if not self._started.done():
                    self._started.set_exception(error)
                    self._started.exception()  # marks it as retrieved: nothing may be waiting
                failing_since = failing_since or clock()
                log.warning("consumer.failed", queue=self.name, reason=str(error), retry_s=pause_s)
                self._owner.consumer_failing(self, error, clock() - failing_since)
            except Exception:
                # A defect: without this, the consumer would stop without a sign.
                log.exception("consumer.defect", queue=self.name)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, longest_s)

    async def _keep(self, session: ConsumerSession) -> None:
        """Consume until the session ends."""
        self._session = session
        try:
            if self._cancelled is None:
                await session.start()
            if not self._started.done():
                self._started.set_result(None)
            while not session.ended.is_set():
                try:
                    async with asyncio.timeout(self._probe_every_s):
                        await session.ended.wait()
                except TimeoutError:
                    await session.probe()
        finally:
            self._session = None
            session.end()
            self._runner.discard_lost()
            self._owner.consumer_lost(self)
            await session.close()
