"""The user's notifications, and their summary."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from bongsu.contracts.notifications import UNFINISHED, NotificationCounts, Status, TopicRecipient
from bongsu.contracts.stats import Bucket, Stats
from bongsu.runtime.background import together
from bongsu.runtime.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import DiscordNotLinked, OnTrial, RecipientRefused, SentBefore
from bongsu_dashboard.forms import FieldsRefused
from bongsu_dashboard.notifications.filters import WINDOW, Filters
from bongsu_dashboard.notifications.notification import Notification, Page
from bongsu_dashboard.notifications.port import NotifyClient
from bongsu_dashboard.notifications.schemas import KakaoForm, MessageForm, SendForm

PAGE_SIZE: Final = 50
EXPORT_PAGE_SIZE: Final = 200
CONCURRENT_ACTIONS: Final = 8
Action = Literal["cancel", "restore", "retry"]

_SENT: Final[frozenset[Status]] = frozenset({"sent", "delivered"})
_FAILED: Final[frozenset[Status]] = frozenset({"failed", "bounced", "complained", "expired"})


class Notifications:
    """Lists and sends at notify. Calls that need no rule go to `notify` itself."""

    def __init__(self, notify: NotifyClient) -> None:
        self.notify = notify

    async def list_page(
        self, browser: Browser, filters: Filters, *, after: str | None
    ) -> tuple[Page, NotificationCounts | None]:
        """List a page, newest first, with the counts of the statuses where they are those of the list.

        A malformed `after` begins at the newest.
        """
        query = filters.query
        page, counts = await together(
            self.notify.list_page(browser, query, after=_uuid_or_none(after), limit=PAGE_SIZE),
            self.notify.count(browser, since=query.since, until=query.until) if filters.is_counted else _nothing(),
        )
        return page, counts

    async def count_newer(self, browser: Browser, filters: Filters, newest: UUID) -> int:
        """Count the notifications newer than one, up to a page."""
        page = await self.notify.list_page(browser, filters.query, limit=PAGE_SIZE)
        return sum(item.id > newest for item in page.items)

    async def load_pages(self, browser: Browser, filters: Filters) -> AsyncIterator[Page]:
        """Load every page of a list."""
        after: str | None = None
        while True:
            page = await self.notify.list_page(browser, filters.query, after=after, limit=EXPORT_PAGE_SIZE)
            yield page
            if (after := page.next) is None:
                return

    async def act(self, browser: Browser, action: Action, ids: Sequence[UUID]) -> int:
        """Cancel, restore or retry notifications; return how many. Others, whose status does not allow it, stay."""
        if action == "retry":
            return await self.notify.retry_many(browser, [*dict.fromkeys(ids)])
        turns = asyncio.Semaphore(CONCURRENT_ACTIONS)
        change, after = {
            "cancel": (self.notify.cancel, "cancelled"),
            "restore": (self.notify.restore, "accepted"),
        }[action]

        async def change_one(notification_id: UUID) -> bool:
            async with turns:
                try:
                    return (await change(browser, notification_id)).status == after
                except (Conflict, NotFound):
                    return False

        return sum(await asyncio.gather(*map(change_one, dict.fromkeys(ids))))

    async def load_draft(self, browser: Browser, source: UUID) -> tuple[str, dict[str, list[str]]]:
        """Return the channel of a notification, and the values of the form that sends it again with changes.

        There are none for a template, and for a message that is not of text alone.

        :raises NotFound: there is no such notification.
        """
        item, content = await together(self.notify.find(browser, source), self.notify.load_content(browser, source))
        text = content.part("text")
        if not item.is_resendable or content.content is None:
            return "email", {}
        if item.channel == "email":
            html = content.part("html")
            values = {"email": item.recipient, "subject": content.subject or "", "text": text, "html": html}
        elif not text:
            return item.channel, {}
        elif item.channel == "kakao":
            values = {"text": text, "link": content.part("link")}
        elif isinstance(item.to, TopicRecipient):
            values = {"to": "topic", "topic": item.to.topic, "text": text}
        else:
            values = {"to": "me", "text": text}
        return item.channel, {name: [value] for name, value in values.items()}

    async def send(self, browser: Browser, form: SendForm) -> Notification:
        """Send a mail.

        :raises FormError: notify refuses it.
        """
        try:
            return await self.notify.send_email(browser, email=form.email, content=form.content, key=form.attempt)
        except Forbidden as error:
            raise OnTrial from error
        except Invalid as error:
            raise (SentBefore() if error.code == "idempotency_mismatch" else FieldsRefused(error)) from error

    async def send_message(self, browser: Browser, user_id: UUID, form: MessageForm) -> Notification:
        """Send a Discord message.

        :raises DiscordNotLinked: the user has no Discord account to send to.
        :raises FormError: notify refuses it.
        """
        to = {"user_id": str(user_id)} if form.to == "me" else {"topic": form.topic}
        try:
            return await self.notify.send_message(browser, to=to, text=form.text, key=form.attempt)
        except Forbidden as error:
            raise (DiscordNotLinked() if error.code == "not_linked" else RecipientRefused()) from error
        except Invalid as error:
            raise (SentBefore() if error.code == "idempotency_mismatch" else FieldsRefused(error)) from error

    async def send_kakao(self, browser: Browser, user_id: UUID, form: KakaoForm) -> Notification:
        """Send a KakaoTalk message to the user.

        :raises FormError: notify refuses it.
        """
        try:
            return await self.notify.send_kakao(browser, user_id=user_id, content=form.content, key=form.attempt)
        except Invalid as error:
            raise (SentBefore() if error.code == "idempotency_mismatch" else FieldsRefused(error)) from error


@dataclass(frozen=True, slots=True)
class Summary:
    """The last 24 hours, compared with the 24 hours before.

    :param since: the start of the 24 hours.
    :param sent_by_hour: oldest first.
    """

    since: datetime
    sent: int
    sent_before: int
    failed: int
    failed_before: int
    sent_by_hour: tuple[int, ...]
    counts: NotificationCounts

    @property
    def success_percent(self) -> float | None:
        """The share of sent ones among those that ended."""
        ended = self.sent + self.failed
        return round(100 * self.sent / ended, 1) if ended else None

    @property
    def waiting(self) -> int:
        return sum(self.counts.counts.get(status, 0) for status in UNFINISHED) - self.counts.scheduled

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever sent."""
        return not any(self.counts.counts.values())

    @property
    def sparkline(self) -> str:
        """The path of `sent_by_hour` in a box of 100 by 24, for `d` of an SVG path."""
        top = max(*self.sent_by_hour, 1)
        step = 100 / (len(self.sent_by_hour) - 1)
        points = [f"{at * step:.1f} {24 - 22 * count / top:.1f}" for at, count in enumerate(self.sent_by_hour)]
        return "M" + "L".join(points)


async def load_summary(notify: NotifyClient, browser: Browser, now: datetime) -> Summary | None:
    """Load the summary of what the user sees in the list; None while notify does not answer."""
    try:
        stats, counts = await together(
            notify.load_stats(browser, since=now - 2 * WINDOW, until=now, bucket="hour"), notify.count(browser)
        )
    except Unavailable:
        return None
    return summarise(stats, counts, now - WINDOW)


def summarise(stats: Stats, counts: NotificationCounts, since: datetime) -> Summary:
    """Compare the buckets from `since` with those before."""
    recent = [bucket for bucket in stats.items if bucket.start >= since]
    before = [bucket for bucket in stats.items if bucket.start < since]
    return Summary(
        since=since,
        sent=_total(recent, _SENT),
        sent_before=_total(before, _SENT),
        failed=_total(recent, _FAILED),
        failed_before=_total(before, _FAILED),
        sent_by_hour=tuple(_total([bucket], _SENT) for bucket in recent),
        counts=counts,
    )


def _total(buckets: Sequence[Bucket], statuses: frozenset[Status]) -> int:
    return sum(count for bucket in buckets for status, count in bucket.statuses.items() if status in statuses)


async def _nothing() -> None:
    """For a part of a page that is not loaded."""


def _uuid_or_none(text: str | None) -> str | None:
    try:
        return str(UUID(text)) if text is not None else None
    except ValueError:
        return None
