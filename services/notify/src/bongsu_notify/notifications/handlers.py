"""The message edge of notifications: other services ask for mails by jobs."""

from functools import partial
from uuid import UUID

from sqlalchemy.exc import DataError, DBAPIError, StatementError

from bongsu import mixins, outbox
from bongsu.broker import Delivery
from bongsu.contracts.jobs import NotificationJob
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.dead_letters import dead_letter
from bongsu_notify.notifications.service import Notifications

log = get_logger(__name__)


class JobHandler:
    """Accepts `NotificationJob`s: a job that arrives twice makes one notification."""

    def __init__(self, database: Database, notifications: Notifications, database_retry: DatabaseRetry) -> None:
        self._database = database
        self._notifications = notifications
        self._database_retry = database_retry

    async def __call__(self, deliveries: list[Delivery]) -> None:
        """Accept each job in a transaction of its own; dead-letter malformed ones."""
        for delivery in deliveries:
            await self._database_retry.retry_while_unavailable(partial(self._handle, delivery))

    async def _handle(self, delivery: Delivery) -> None:
        try:
            job = NotificationJob.model_validate(delivery.message.body)
            outbox_id = UUID(delivery.message.id)
        except ValueError as error:
            await self._dead_letter(delivery, error)
            return
        try:
            async with self._database.unit():
                made = await self._notifications.submit_job(job)
                await outbox.settle([outbox_id])
        except mixins.Conflict:
            # Another worker accepted the same job at this moment; the redelivery finds it and settles.
            await delivery.reject(requeue=True)
            return
        except StatementError as error:
            if isinstance(error, DBAPIError) and not isinstance(error, DataError):
                raise
            # A value that its column cannot hold: no retry fixes it.
            await self._dead_letter(delivery, error)
            return
        log.info("job.accepted" if made else "job.repeated", notification_id=str(job.id), template=job.template)
        await delivery.ack()

    async def _dead_letter(self, delivery: Delivery, error: Exception) -> None:
        log.error("job.malformed", message_id=delivery.message.id, error=type(error).__name__)
        await dead_letter(self._database, delivery)
