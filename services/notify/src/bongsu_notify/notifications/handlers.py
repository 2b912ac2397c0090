"""The message edge of notifications: other services ask for a mail by a job."""

from functools import partial
from uuid import UUID

from sqlalchemy.exc import DataError, DBAPIError, StatementError

from bongsu import mixins, outbox
from bongsu.broker import Delivery
from bongsu.contracts.jobs import NotificationJob
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal
from bongsu_notify.dead_letters import give_up
from bongsu_notify.holding import Holding
from bongsu_notify.notifications import service

log = get_logger(__name__)


class JobHandler:
    """Accepts `NotificationJob`s: a job that comes twice makes one notification."""

    def __init__(self, database: Database, stop: StopSignal, holding: Holding | None = None) -> None:
        self._database = database
        self._holding = holding or Holding(stop)

    async def __call__(self, deliveries: list[Delivery]) -> None:
        """Accept each job in a transaction of its own; what cannot be read is dead-lettered."""
        for delivery in deliveries:
            await self._holding.retry_while_unavailable(partial(self._handle, delivery))

    async def _handle(self, delivery: Delivery) -> None:
        try:
            job = NotificationJob.model_validate(delivery.message.body)
            row = UUID(delivery.message.id)
        except ValueError as error:
            log.error("job.malformed", message_id=delivery.message.id, error=type(error).__name__)
            await give_up(self._database, delivery)
            return
        try:
            async with self._database.unit():
                made = await service.submit_job(job)
                await outbox.settle([row])
        except mixins.Conflict:
            # Another worker accepted the same job this moment; the second delivery finds it and settles.
            await delivery.reject(requeue=True)
            return
        except StatementError as error:
            if isinstance(error, DBAPIError) and not isinstance(error, DataError):
                raise
            # A value that its column cannot hold: no repetition can mend that either.
            log.error("job.malformed", message_id=delivery.message.id, error=type(error).__name__)
            await give_up(self._database, delivery)
            return
        log.info("job.accepted" if made else "job.repeated", notification_id=str(job.id), template=job.template)
        await delivery.ack()
