"""Idempotency keys of retries. A notification itself has the key of the request that made it."""

from datetime import timedelta
from uuid import UUID

from bongsu.mixins import utc_now
from bongsu_notify.errors import IdempotencyMismatch
from bongsu_notify.notifications.models import Notification, RetryKey


class RetryKeys:
    """Claims keys and finds them, in the caller's unit of work.

    :param window: how long a key is kept.
    """

    def __init__(self, window: timedelta) -> None:
        self._window_s = window.total_seconds()

    async def claim(self, principal: str, idempotency_key: str, notification_id: UUID | None, **answer: object) -> None:
        """Claim a key for a retry.

        :param answer: what the key repeats, where that is more than the notification.
        :raises IdempotencyMismatch: a notification was submitted with this key.
        :raises Conflict: a retry used it.
        """
        start = utc_now(-self._window_s)
        await RetryKey.filter_by(principal=principal, created_at__lt=start).delete()
        key = {"principal": principal, "idempotency_key": idempotency_key, "notification_id": notification_id}
        await RetryKey.bulk_create([key | answer | {"created_at": utc_now()}])
        # A locking read, after the key was claimed: a submission at the same moment does the same the other way round.
        submitted = Notification.filter_by(principal=principal, idempotency_key=idempotency_key, created_at__ge=start)
        if await submitted.lock().pluck("id"):
            raise IdempotencyMismatch

    async def find(self, principal: str, idempotency_key: str) -> RetryKey | None:
        """The use of a key within the window."""
        return await RetryKey.filter_by(
            principal=principal, idempotency_key=idempotency_key, created_at__ge=utc_now(-self._window_s)
        ).first()
