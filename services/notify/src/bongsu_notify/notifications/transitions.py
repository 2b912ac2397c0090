"""Retries, cancellations and undone cancellations, each in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bongsu import outbox
from bongsu.contracts.notifications import Status
from bongsu.identity import audit
from bongsu.mixins import Q, utc_now
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.statuses import sources
from bongsu_notify.notifications.wakeups import wake_up

RETRYABLE: Final[Sequence[Status]] = sources("queued")
MAY_BE_SENT: Final = (Q(template=None) | Q(sealed_variables__isnull=False)) & ~Q(
    guarantee="at-most-once", error_code="outcome_unknown"
)
"""Not where the secret variables are deleted, nor where `may_have_been_sent`."""


def may_have_been_sent(row: Notification) -> bool:
    """Whether a notification that must not arrive twice may have been sent."""
    return row.guarantee == "at-most-once" and row.error_code == "outcome_unknown"


async def retry(rows: Sequence[Notification], principal: Principal) -> Sequence[Notification]:
    """Queue those that may be sent again, with as many attempts as new ones; return them.

    Others stay as they are: another request may retry the same ones at this moment.
    """
    rows = await _lock(rows, Q(status__in=RETRYABLE) & MAY_BE_SENT)
    if not rows:
        return []
    now = await _begin_again(rows, "queued", "retried by hand", expires_at=None)
    await outbox.append_many([wake_up(row.id, row.channel, row.priority) for row in rows], now=now)
    await audit.record_all(
        [
            audit.entry(
                "notification.retried", principal.actor, subject_id=row.user_id, target=f"notification:{row.id}"
            )
            for row in rows
        ]
    )
    return rows


async def cancel(rows: Sequence[Notification], detail: str | None) -> Sequence[Notification]:
    """Cancel those that still wait, and return them. A worker may claim the others at this moment.

    :param detail: of the timeline's entries.
    """
    rows = await _lock(rows, Q(status__in=sources("cancelled")))
    if not rows:
        return []
    await Notification.filter_by(id__in=[row.id for row in rows]).update(
        status="cancelled", next_attempt_at=None, sealed_variables=None, updated_at=utc_now()
    )
    await add_entries(rows, "cancelled", detail, utc_now())
    return rows


async def restore(rows: Sequence[Notification]) -> Sequence[Notification]:
    """Undo the cancellation of those that may be sent, and return them: they wait for their send time again."""
    rows = await _lock(rows, Q(status__in=sources("accepted")) & MAY_BE_SENT)
    if not rows:
        return []
    now = await _begin_again(rows, "accepted", "cancellation undone")
    await outbox.append_many([wake_up(row.id, row.channel, row.priority, at=row.send_at) for row in rows], now=now)
    return rows


async def _lock(rows: Sequence[Notification], condition: Q) -> Sequence[Notification]:
    still = Notification.filter_by(condition, id__in=sorted(row.id for row in rows))
    locked = {*await still.lock().pluck("id")}
    return [row for row in rows if row.id in locked]


async def _begin_again(rows: Sequence[Notification], status: Status, detail: str, **changes: object) -> datetime:
    """Give locked notifications as many attempts as new ones; return the database's time."""
    chosen = Notification.filter_by(id__in=[row.id for row in rows])
    await chosen.update(
        status=status,
        attempts_before=Notification.attempt,
        error_code=None,
        error_detail=None,
        updated_at=utc_now(),
        **changes,
    )
    now: datetime = (await chosen.aggregate(count=("count", "id"), now=utc_now()))["now"]
    await add_entries(rows, status, detail, now)
    return now


async def add_entries(rows: Sequence[Notification], status: Status, detail: str | None, at: object) -> None:
    """Add an entry to the timeline of each.

    :param at: the database's time, or `utc_now()`.
    """
    await NotificationEvent.bulk_create(
        [
            {"notification_id": row.id, "status": status, "attempt": row.attempt, "detail": detail, "created_at": at}
            for row in rows
        ],
        savepoint=False,
    )
