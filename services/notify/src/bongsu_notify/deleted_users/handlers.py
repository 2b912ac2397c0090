"""The message edge: deleted accounts."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from bongsu import outbox
from bongsu.broker import Delivery
from bongsu.contracts.users import UserDeleted, email_context
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.dead_letters import dead_letter, postpone
from bongsu_notify.deleted_users.service import DeletedUsers

log = get_logger(__name__)

AGAIN_AFTER_S = 60.0


class UserDeletedHandler:
    """Deletes what is kept of a user, and comes back for what cannot be deleted yet."""

    def __init__(
        self, database: Database, vault: Vault, deleted_users: DeletedUsers, database_retry: DatabaseRetry
    ) -> None:
        self._database = database
        self._vault = vault
        self._deleted_users = deleted_users
        self._database_retry = database_retry

    async def __call__(self, deliveries: list[Delivery]) -> None:
        """Handle each event by itself; dead-letter malformed ones."""
        for delivery in deliveries:
            await self._database_retry.retry_while_unavailable(partial(self._handle, delivery))

    async def _handle(self, delivery: Delivery) -> None:
        try:
            event = UserDeleted.model_validate(delivery.message.body)
            outbox_id = UUID(delivery.message.id)
            email = self._open(event)
        except (ValueError, SealBroken) as error:
            log.error("user_deleted.malformed", message_id=delivery.message.id, error=type(error).__name__)
            await dead_letter(self._database, delivery)
            return
        done = await self._deleted_users.purge(event.user_id, email, deleted_at=event.at, now=datetime.now(UTC))
        if done:
            await self._database.run(outbox.settle, [outbox_id])
            log.info("user_data.deleted", user_id=str(event.user_id))
        else:
            await self._database.run(postpone, delivery, AGAIN_AFTER_S)
        await delivery.ack()

    def _open(self, event: UserDeleted) -> str | None:
        if event.sealed_email is None:
            return None
        return self._vault.open_text(event.sealed_email, aad=email_context(event.user_id))
