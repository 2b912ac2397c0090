"""The relay: takes what is due, lane by lane, publishes it with confirms, and takes again what was lost."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.broker import Broker, BrokerError, BrokerUnavailable, Message, PublishError, QueueMissing
from bongsu.mixins import Database, utc_now
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


@dataclass(frozen=True, slots=True)
class _Taken:
    id: UUID
    queue: str
    message: Message
    attempts: int
    published_at: datetime | None


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
