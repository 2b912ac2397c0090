"""`NotifyClient` over notify's HTTP API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import JsonValue

from bongsu.contracts.notifications import NotificationCounts, RetriedNotifications
from bongsu.contracts.stats import Stats
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.notifications.notification import Content, Detail, Notification, Page
from bongsu_dashboard.notifications.port import EVERYTHING, NotificationQuery
from bongsu_dashboard.upstream import Upstream


class HttpNotifyClient:
    """The adapter of `NotifyClient`."""

    def __init__(self, notify: Upstream) -> None:
        self._notify = notify

    async def list_page(
        self, browser: Browser, query: NotificationQuery = EVERYTHING, *, after: str | None = None, limit: int = 50
    ) -> Page:
        values = {
            "status": query.statuses,
            "scheduled": None if query.scheduled is None else str(query.scheduled).lower(),
            "channel": query.channel,
            "q": query.search,
            "since": query.since and query.since.isoformat(),
            "until": query.until and query.until.isoformat(),
            "after": after,
            "limit": str(limit),
        }
        given = {name: value for name, value in values.items() if value}
        return (await self._notify.call(browser, "GET", "/v1/notifications", query=given)).parse(Page)

    async def count(
        self, browser: Browser, *, since: datetime | None = None, until: datetime | None = None
    ) -> NotificationCounts:
        query = {name: at.isoformat() for name, at in (("since", since), ("until", until)) if at is not None}
        reply = await self._notify.call(browser, "GET", "/v1/notifications/counts", query=query)
        return reply.parse(NotificationCounts)

    async def load_stats(
        self, browser: Browser, *, since: datetime, until: datetime, bucket: Literal["hour", "day"]
    ) -> Stats:
        query = {"from": since.isoformat(), "to": until.isoformat(), "bucket": bucket}
        return (await self._notify.call(browser, "GET", "/v1/stats", query=query)).parse(Stats)

    async def find(self, browser: Browser, notification_id: UUID) -> Detail:
        return (await self._notify.call(browser, "GET", f"/v1/notifications/{notification_id}")).parse(Detail)

    async def load_content(self, browser: Browser, notification_id: UUID) -> Content:
        reply = await self._notify.call(browser, "GET", f"/v1/notifications/{notification_id}/content")
        return reply.parse(Content)

    async def cancel(self, browser: Browser, notification_id: UUID) -> Notification:
        reply = await self._notify.call(browser, "POST", f"/v1/notifications/{notification_id}/cancel")
        return reply.parse(Notification)

    async def restore(self, browser: Browser, notification_id: UUID) -> Notification:
        reply = await self._notify.call(browser, "POST", f"/v1/notifications/{notification_id}/restore")
        return reply.parse(Notification)

    async def retry(self, browser: Browser, notification_id: UUID) -> Notification:
        reply = await self._notify.call(browser, "POST", f"/v1/notifications/{notification_id}/retry")
        return reply.parse(Notification)

    async def retry_many(self, browser: Browser, ids: Sequence[UUID]) -> int:
        body: dict[str, JsonValue] = {"ids": [str(one) for one in ids]}
        reply = await self._notify.call(browser, "POST", "/v1/notifications/retry", body=body)
        return reply.parse(RetriedNotifications).retried

    async def send_message(self, browser: Browser, *, to: Mapping[str, str], text: str, key: str) -> Notification:
        return await self._send(browser, "discord", {**to}, {"text": text}, key)

    async def send_kakao(
        self, browser: Browser, *, user_id: UUID, content: Mapping[str, str], key: str
    ) -> Notification:
        return await self._send(browser, "kakao", {"user_id": str(user_id)}, {**content}, key)

    async def send_email(self, browser: Browser, *, email: str, content: Mapping[str, str], key: str) -> Notification:
        return await self._send(browser, "email", {"email": email}, {**content}, key)

    async def _send(
        self, browser: Browser, channel: str, to: dict[str, JsonValue], content: dict[str, JsonValue], key: str
    ) -> Notification:
        body: dict[str, JsonValue] = {"channel": channel, "to": to, "content": content}
        headers = {"Idempotency-Key": key}
        reply = await self._notify.call(browser, "POST", "/v1/notifications", body=body, headers=headers)
        return reply.parse(Notification)
