"""Retries of many notifications by one request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from bongsu import outbox
from bongsu.contracts.notifications import Status
from bongsu.identity import audit
from bongsu.mixins import Database, Q, utc_now
from bongsu_notify.errors import IdempotencyMismatch
from bongsu_notify.notifications.idempotency import IDEMPOTENCY_WINDOW, fingerprint, idempotent
from bongsu_notify.notifications.lists import Filters, NotificationLists, Period
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.retry_keys import RetryKeys
from bongsu_notify.notifications.schemas import RetryIn
from bongsu_notify.notifications.statuses import sources
from bongsu_notify.notifications.wakeups import wake_up

RETRYABLE: Final[Sequence[Status]] = sources("queued")

MAY_BE_SENT: Final = (Q(template=None) | Q(sealed_variables__isnull=False)) & ~Q(
    guarantee="at-most-once", error_code="outcome_unknown"
)
"""Not where the secret variables are deleted, nor where a mail that must not be sent twice may have been sent."""


@dataclass(frozen=True, slots=True)
class Retried:
    """How many were retried, and the id to continue after (None at the end)."""

    count: int
    following: UUID | None


class Retries:
    """Retries of many. `retry` opens units of work of its own."""

    def __init__(self, database: Database, lists: NotificationLists, window: timedelta = IDEMPOTENCY_WINDOW) -> None:
        self._database = database
        self._lists = lists
        self._keys = RetryKeys(window)

    async def retry(self, request: RetryIn, principal: Principal, *, idempotency_key: str | None) -> Retried:
        """Send failed and expired notifications again, newest first.

        Those that may not be sent again, or are no longer failed, stay as they are.

        :raises IdempotencyMismatch: the key was used for another request.
        """
        return await idempotent(
            self._database,
            idempotency_key,
            make=partial(self._retry, request, principal, idempotency_key),
            replay=partial(self._find_retried, request, principal),
        )

    async def _retry(self, request: RetryIn, principal: Principal, idempotency_key: str | None) -> Retried:
        filters = Filters(
            statuses=request.status or RETRYABLE,
            channel=request.channel,
            topic=request.topic,
            recipient=request.to,
            search=request.q,
            period=Period(request.since, request.until),
            ids=request.ids,
            conditions=(MAY_BE_SENT,),
        )
        page, following = await self._lists.list_page(principal, filters, limit=request.limit, after=request.after)
        rows = await _queue(page, principal) if page else []
        if idempotency_key is not None:
            await self._keys.claim(
                principal.name,
                idempotency_key,
                rows[0].id if rows else None,
                fingerprint=fingerprint(request),
                retried=len(rows),
                following=following,
            )
        return Retried(len(rows), following)

    async def _find_retried(self, request: RetryIn, principal: Principal, idempotency_key: str) -> Retried | None:
        """What this key retried within the window."""
        used = await self._keys.find(principal.name, idempotency_key)
        if used is None:
            return None
        if used.retried is None or used.fingerprint != fingerprint(request):
            raise IdempotencyMismatch
        return Retried(used.retried, used.following)


async def _queue(page: Sequence[Notification], principal: Principal) -> Sequence[Notification]:
    """Queue those of a page that are still to be retried, with entries and wake-ups; return them."""
    # Another request may retry the same ones at this moment.
    still = Notification.filter_by(id__in=sorted(row.id for row in page), status__in=RETRYABLE)
    locked = {*await still.lock().pluck("id")}
    if not locked:
        return []
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
    return rows
