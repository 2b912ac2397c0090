"""Retries of many notifications by one request."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from bongsu.mixins import Database
from bongsu_notify.errors import IdempotencyMismatch
from bongsu_notify.notifications import transitions
from bongsu_notify.notifications.idempotency import IDEMPOTENCY_WINDOW, fingerprint, idempotent
from bongsu_notify.notifications.lists import Filters, NotificationLists, Period
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.retry_keys import RetryKeys
from bongsu_notify.notifications.schemas import RetryIn


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
            statuses=request.status or transitions.RETRYABLE,
            channel=request.channel,
            topic=request.topic,
            recipient=request.to,
            search=request.q,
            period=Period(request.since, request.until),
            ids=request.ids,
            conditions=(transitions.MAY_BE_SENT,),
        )
        page, following = await self._lists.list_page(principal, filters, limit=request.limit, after=request.after)
        rows = await transitions.retry(page, principal)
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
