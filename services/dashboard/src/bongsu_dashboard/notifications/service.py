"""The user's notifications, and their summary."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from bongsu.runtime.errors import Forbidden, Invalid
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import OnTrial, SentBefore
from bongsu_dashboard.forms import FieldsRefused
from bongsu_dashboard.notifications.notification import FILTERS, STATUSES, Notification, Page
from bongsu_dashboard.notifications.port import NotifyClient
from bongsu_dashboard.notifications.schemas import SendForm

WINDOW: Final = timedelta(hours=24)
PAGE_SIZE: Final = 25
SUMMARY_SIZE: Final = 200
"""A summary counts the newest notifications that one call returns."""

_SENT: Final = frozenset({"sent", "delivered"})
_FAILED: Final = frozenset({"failed", "bounced", "complained", "expired"})


class Notifications:
    """Lists and sends at notify. Calls that need no rule go to `notify` itself."""

    def __init__(self, notify: NotifyClient) -> None:
        self.notify = notify

    async def list_page(self, browser: Browser, *, status: str | None, after: str | None) -> Page:
        """List a page, newest first. An unknown filter or a malformed `after` does not filter."""
        after = _uuid_or_none(after)
        statuses = FILTERS.get(status or "", (status,) if status in STATUSES else (None,))
        pages = await asyncio.gather(
            *(self.notify.list_page(browser, status=one, after=after, limit=PAGE_SIZE) for one in statuses)
        )
        # The pages are disjoint and each is sorted: their newest rows are one page.
        items = sorted((item for page in pages for item in page.items), key=lambda item: item.id, reverse=True)
        newest = items[:PAGE_SIZE]
        has_more = len(items) > PAGE_SIZE or any(page.next for page in pages)
        return Page(
            items=[item for item in newest if item.matches(status)],
            next=str(newest[-1].id) if has_more and newest else None,
        )

    async def send(self, browser: Browser, form: SendForm) -> Notification:
        """Send a mail.

        :raises FormError: notify refuses it.
        """
        try:
            return await self.notify.send_email(
                browser, email=form.email, subject=form.subject, text=form.text, key=form.attempt
            )
        except Forbidden as error:
            raise OnTrial from error
        except Invalid as error:
            raise (SentBefore() if error.code == "idempotency_mismatch" else FieldsRefused(error)) from error


@dataclass(frozen=True, slots=True)
class Summary:
    """The last 24 hours among the newest notifications. `is_partial` where there were more than one call returns."""

    sent: int
    failed: int
    waiting: int
    scheduled: int
    oldest_waiting: datetime | None
    is_partial: bool
    is_empty: bool

    @property
    def success_percent(self) -> float | None:
        """The share of sent ones among those that ended."""
        ended = self.sent + self.failed
        return round(100 * self.sent / ended, 1) if ended else None


def summarise(page: Page, now: datetime) -> Summary:
    """Count a page of the newest notifications."""
    recent = [item for item in page.items if item.created_at >= now - WINDOW]
    waiting = [item for item in page.items if item.is_moving]
    return Summary(
        sent=sum(item.status in _SENT for item in recent),
        failed=sum(item.status in _FAILED for item in recent),
        waiting=len(waiting),
        scheduled=sum(item.state == "scheduled" for item in page.items),
        oldest_waiting=min((item.send_at or item.created_at for item in waiting), default=None),
        is_partial=page.next is not None and len(recent) == len(page.items),
        is_empty=not page.items,
    )


def _uuid_or_none(text: str | None) -> str | None:
    try:
        return str(UUID(text)) if text is not None else None
    except ValueError:
        return None
