"""The message edge: blocked accounts and changed roles."""

from functools import partial
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.contracts.users import USER_CHANGE, UserBlocked
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu_notify.changed_users.service import SETTLED_AFTER, ChangedUsers
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.dead_letters import dead_letter, postpone

log = get_logger(__name__)


class UserChangeHandler:
    """Handles each event by itself, and comes back for what cannot be cancelled yet."""

    def __init__(self, database: Database, changed_users: ChangedUsers, database_retry: DatabaseRetry) -> None:
        self._database = database
        self._changed_users = changed_users
        self._database_retry = database_retry

    async def __call__(self, deliveries: list[Delivery]) -> None:
        """Handle each event; dead-letter malformed ones."""
        for delivery in deliveries:
            await self._database_retry.retry_while_unavailable(partial(self._handle, delivery))

    async def _handle(self, delivery: Delivery) -> None:
        try:
            event = USER_CHANGE.validate_python(delivery.message.body)
            outbox_id = UUID(delivery.message.id)
        except ValueError as error:
            log.error("user_change.malformed", message_id=delivery.message.id, error=type(error).__name__)
            await dead_letter(self._database, delivery)
            return
        done = True
        if isinstance(event, UserBlocked):
            done = await self._changed_users.stop(event.user_id, event_id=outbox_id, blocked_at=event.at)
        else:
            await self._changed_users.announce_role(event.user_id, event.role, event_id=outbox_id)
        if done:
            await self._database.run(outbox.settle, [outbox_id])
            log.info("user_change.handled", kind=event.kind, user_id=str(event.user_id))
        else:
            await self._database.run(postpone, delivery, SETTLED_AFTER.total_seconds())
        await delivery.ack()
