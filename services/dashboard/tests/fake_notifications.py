"""A stand-in for notify, and notifications."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import JsonValue

from bongsu.contracts.notifications import Failure, NotificationCounts, Status
from bongsu.contracts.stats import Bucket, Stats
from bongsu.runtime.errors import Conflict, Forbidden, Invalid, NotFound
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import ServiceDown
from bongsu_dashboard.notifications.notification import Content, Detail, Notification, Page, Step
from bongsu_dashboard.notifications.port import EVERYTHING, NotificationQuery
from services.dashboard.tests.fakes import now

_ids = itertools.count(1)


def _descending_id() -> UUID:
    """An id that is older than every earlier one, as tests list notifications newest first."""
    return UUID(int=(1 << 127) - next(_ids))


def a_notification(
    subject: str | None = "안녕하세요",
    status: Status = "delivered",
    *,
    minutes: int = 5,
    email: str = "someone@example.com",
    error: Failure | None = None,
    **values: object,
) -> Detail:
    at = now() - timedelta(minutes=minutes)
    words: dict[str, tuple[Status, ...]] = {
        "accepted": ("accepted",),
        "bounced": ("accepted", "sent", "bounced"),
        "complained": ("accepted", "sent", "delivered", "complained"),
        "delivered": ("accepted", "queued", "sending", "sent", "delivered"),
        "sent": ("accepted", "queued", "sending", "sent"),
        "queued": ("accepted", "queued"),
        "failed": ("accepted", "queued", "sending", "retry_wait", "sending", "failed"),
        "cancelled": ("accepted", "cancelled"),
        "expired": ("accepted", "queued", "expired"),
        "retry_wait": ("accepted", "sending", "retry_wait"),
    }
    steps = [
        Step(
            status=word,
            at=at + timedelta(seconds=2 * index),
            attempt=sum(before == "sending" for before in words[status][: index + 1]),
            detail=None,
        )
        for index, word in enumerate(words[status])
    ]
    given: dict[str, Any] = {
        "id": _descending_id(),
        "status": status,
        "channel": "email",
        "mode": "live",
        "to": {"email": email},
        "subject": subject,
        "template": None,
        "category": "transactional",
        "topic": None,
        "priority": "normal",
        "guarantee": "at-least-once",
        "expires_at": None,
        "metadata": {},
        "attempt": 1,
        "send_at": None,
        "next_attempt_at": None,
        "provider_message_id": None,
        "error": error,
        "created_at": at,
        "updated_at": at,
        "timeline": steps,
    }
    return Detail.model_validate(given | values)


def _matches(item: Notification, query: NotificationQuery) -> bool:
    text = f"{item.subject}\n{item.recipient}\n{item.id}".casefold()
    return (
        (not query.statuses or item.status in query.statuses)
        and query.scheduled in (None, item.state == "scheduled")
        and query.channel in (None, item.channel)
        and (query.search or "").casefold() in text
        and (query.since is None or item.created_at >= query.since)
        and (query.until is None or item.created_at < query.until)
    )


@dataclass
class FakeNotifications:
    """Notify."""

    items: list[Detail] = field(default_factory=list)
    down: bool = False
    on_trial: bool = False
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    contents: list[Mapping[str, str]] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)
    foreign_channels: set[str] = field(default_factory=set)
    keys: dict[str, Detail] = field(default_factory=dict)
    html: str = "<h1>봉수</h1><p>봉수가 올랐습니다.</p>"
    """The HTML of every mail."""
    continues_at: str | None = None
    """The `next` of a search's page that found nothing."""

    def _up(self) -> None:
        if self.down:
            raise ServiceDown("notify")

    async def list_page(
        self, browser: Browser, query: NotificationQuery = EVERYTHING, *, after: str | None = None, limit: int = 50
    ) -> Page:
        del browser
        self._up()
        start = next((at + 1 for at, item in enumerate(self.items) if str(item.id) == after), 0)
        found = [item for item in self.items[start:] if _matches(item, query)]
        page = found[:limit]
        return Page(items=[*page], next=str(page[-1].id) if len(found) > limit else self.continues_at)

    async def count(
        self, browser: Browser, *, since: datetime | None = None, until: datetime | None = None
    ) -> NotificationCounts:
        del browser
        self._up()
        found = [item for item in self.items if _matches(item, NotificationQuery(since=since, until=until))]
        waiting = [item.send_at or item.created_at for item in found if item.is_moving]
        return NotificationCounts(
            counts=Counter(item.status for item in found),
            scheduled=sum(item.state == "scheduled" for item in found),
            oldest_waiting=min(waiting, default=None),
            limit=1000,
        )

    async def load_stats(
        self, browser: Browser, *, since: datetime, until: datetime, bucket: Literal["hour", "day"]
    ) -> Stats:
        del browser
        self._up()
        length = timedelta(hours=1) if bucket == "hour" else timedelta(days=1)
        starts = [since + at * length for at in range(-(-(until - since) // length))]
        return Stats(items=[self._bucket(at, at + length) for at in starts])

    def _bucket(self, start: datetime, end: datetime) -> Bucket:
        found = Counter(item.status for item in self.items if start <= item.created_at < end)
        return Bucket(start=start, end=end, total=sum(found.values()), statuses=found)

    async def find(self, browser: Browser, notification_id: UUID) -> Detail:
        del browser
        self._up()
        for item in self.items:
            if item.id == notification_id:
                return item
        raise NotFound("There is no such notification", code="notification_not_found")

    async def cancel(self, browser: Browser, notification_id: UUID) -> Notification:
        found = await self.find(browser, notification_id)
        if not found.is_cancellable:
            raise Conflict("It cannot be cancelled", code="not_cancellable")
        return self._put(found, "cancelled")

    async def restore(self, browser: Browser, notification_id: UUID) -> Notification:
        found = await self.find(browser, notification_id)
        if found.status != "cancelled":
            return found
        if not found.is_restorable:
            raise Conflict("It cannot be restored", code="not_restorable")
        return self._put(found, "accepted")

    async def retry(self, browser: Browser, notification_id: UUID) -> Notification:
        found = await self.find(browser, notification_id)
        if not found.is_retryable:
            raise Conflict("It cannot be retried", code="not_retryable")
        return self._put(found, "queued")

    async def retry_many(self, browser: Browser, ids: Sequence[UUID]) -> int:
        found = [item for item in self.items if item.id in ids and item.is_retryable]
        for item in found:
            await self.retry(browser, item.id)
        return len(found)

    def _put(self, item: Detail, status: str) -> Notification:
        changed = item.model_copy(update={"status": status})
        self.items[self.items.index(item)] = changed
        return changed

    async def load_content(self, browser: Browser, notification_id: UUID) -> Content:
        item = await self.find(browser, notification_id)
        parts: dict[str, JsonValue] = {"text": "봉수가 올랐습니다.\n내일 뵙겠습니다."}
        if self.html:
            parts["html"] = self.html
        return Content(subject=item.subject, content=None if item.template else parts)

    async def send_message(self, browser: Browser, *, to: Mapping[str, str], text: str, key: str) -> Notification:
        del browser
        (recipient,) = to.values()
        self._up()
        if recipient in self.foreign_channels:
            raise Forbidden("Not yours", code="channel_not_allowed")
        if (known := self.keys.get(key)) is not None:
            if self.messages[-1] != (recipient, text):
                raise Invalid("Another body", code="idempotency_mismatch")
            return known
        made = a_notification(None, "queued", minutes=0, channel="discord", to={**to})
        self.keys[key] = made
        self.items.insert(0, made)
        self.messages.append((recipient, text))
        return made

    async def send_kakao(
        self, browser: Browser, *, user_id: UUID, content: Mapping[str, str], key: str
    ) -> Notification:
        del browser
        self._up()
        if (known := self.keys.get(key)) is not None:
            return known
        made = a_notification(None, "queued", minutes=0, channel="kakao", to={"user_id": str(user_id)})
        self.keys[key] = made
        self.items.insert(0, made)
        self.contents.append(content)
        return made

    async def send_email(self, browser: Browser, *, email: str, content: Mapping[str, str], key: str) -> Notification:
        del browser
        subject = content["subject"]
        self._up()
        if self.on_trial:
            raise Forbidden("On trial", code="account_on_trial")
        if (known := self.keys.get(key)) is not None:
            if known.subject != subject:
                raise Invalid("Another body", code="idempotency_mismatch")
            return known
        made = a_notification(subject, "queued", minutes=0, email=email)
        self.keys[key] = made
        self.items.insert(0, made)
        self.sent.append((email, subject, content.get("text", "")))
        self.contents.append(content)
        return made
