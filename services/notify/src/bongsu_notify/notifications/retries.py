"""Retries of many notifications by one request."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from bongsu import outbox
from bongsu.contracts.notifications import Status
from bongsu.identity import audit
from bongsu.mixins import Q, utc_now
from bongsu_notify.notifications.lists import Filters, NotificationLists
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.statuses import sources
from bongsu_notify.notifications.wakeups import wake_up

RETRYABLE: Final[Sequence[Status]] = sources("queued")

MAY_BE_SENT: Final = (Q(template=None) | Q(sealed_variables__isnull=False)) & ~Q(
    guarantee="at-most-once", error_code="outcome_unknown"
)
"""Not where the secret variables are deleted, nor where a mail that must not be sent twice may have been sent."""


async def retry_many(
    lists: NotificationLists, principal: Principal, filters: Filters, *, limit: int, after: UUID | None
) -> tuple[int, UUID | None]:
    """Send failed and expired notifications again, newest first; return how many, and the id to continue after.

    Those that may not be sent again, or are no longer failed, stay as they are. Runs in the caller's unit of work.
    """
    wanted = replace(filters, statuses=filters.statuses or RETRYABLE, conditions=(MAY_BE_SENT,))
    page, following = await lists.list_page(principal, wanted, limit=limit, after=after)
    if not page:
        return 0, following
    # Another request may retry the same ones at this moment.
    still = Notification.filter_by(id__in=sorted(row.id for row in page), status__in=RETRYABLE)
    locked = {*await still.lock().pluck("id")}
    if not locked:
        return 0, following
    rows = [row for row in page if row.id in locked]
    await Notification.filter_by(id__in=sorted(locked)).update(
        status="queued",
        attempts_before=Notification.attempt,
        expires_at=None,
        error_code=None,
        error_detail=None,
        updated_at=utc_now(),
    )
    read = await Notification.filter_by(id__in=sorted(locked)).aggregate(count=("count", "id"), now=utc_now())
    now: datetime = read["now"]
    await NotificationEvent.bulk_create(
        [
            {
                "notification_id": row.id,
                "status": "queued",
                "attempt": row.attempt,
                "detail": "retried by hand",
                "created_at": now,
            }
            for row in rows
        ]
    )
    await outbox.append_many([wake_up(row.id, row.channel, row.priority) for row in rows], now=now)
    await audit.record_all(
        [
            audit.entry(
                "notification.retried", principal.actor, subject_id=row.user_id, target=f"notification:{row.id}"
            )
            for row in rows
        ]
    )
    return len(rows), following
