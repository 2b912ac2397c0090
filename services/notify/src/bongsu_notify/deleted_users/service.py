"""Deletes the notifications of a deleted account. Every function opens its own units of work."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from bongsu.contracts.notifications import FINAL, Status
from bongsu.mixins import Database, Query
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.statuses import CLAIMABLE
from bongsu_notify.subscriptions.models import Subscription, SubscriptionLock
from bongsu_notify.subscriptions.service import owner_scope
from bongsu_notify.suppressions.models import Suppression

CHUNK_ROWS: Final = 500
KEPT_FOR: Final = timedelta(minutes=15)
"""How long mails of the system to the account stay, the one about the deletion among them. The rest is deleted until
then, as often as it is added."""
DELETABLE: Final[tuple[Status, ...]] = tuple(sorted(FINAL | CLAIMABLE | {"sent"}))
DONE: Final[tuple[Status, ...]] = tuple(sorted(FINAL | {"sent"}))


@dataclass(frozen=True, slots=True)
class DeletedUsers:
    """Deletes in chunks: one statement for a million rows would block every writer of the table."""

    database: Database

    async def purge(self, user_id: UUID, email: str | None, *, deleted_at: datetime, now: datetime) -> bool:
        """Delete the notifications that a user sent, and later the mails of the system to their address.

        Those that wait to be sent are deleted with the rest; those in a provider's call are left for the next time.

        :return: whether nothing is left to be deleted.
        """
        own = Notification.filter_by(user_id=user_id)
        await self._delete(own.filter_by(status__in=DELETABLE))
        await Suppression.filter_by(user_id=user_id).delete()
        await Subscription.filter_by(owner_id=user_id).delete()
        await SubscriptionLock.filter_by(scope=owner_scope(user_id)).delete()
        # Until every service has seen the revocation, a token of the user may still add something.
        if now < deleted_at + KEPT_FOR:
            return False
        if email is None:
            return not await own.exists()
        # A later account of the same address keeps its mails.
        mails = Notification.filter_by(principal="system", recipient=email, created_at__lt=deleted_at + KEPT_FOR)
        await self._delete(mails.filter_by(status__in=DONE))
        return not await own.exists() and not await mails.exists()

    async def _delete(self, rows: Query[Notification]) -> None:
        while ids := await rows.limit(CHUNK_ROWS).pluck("id"):
            # With the conditions again: a worker may have claimed one since. Events and retry keys go with them.
            if not await rows.filter_by(id__in=ids).delete():
                return
