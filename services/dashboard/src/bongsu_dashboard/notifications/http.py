"""`NotifyClient` over notify's HTTP API."""

from uuid import UUID

from pydantic import JsonValue

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.notifications.notification import Detail, Notification, Page
from bongsu_dashboard.upstream import Upstream


class HttpNotifyClient:
    """The adapter of `NotifyClient`."""

    def __init__(self, notify: Upstream) -> None:
        self._notify = notify

    async def list_page(
        self, browser: Browser, *, status: str | None = None, after: str | None = None, limit: int = 25
    ) -> Page:
        query = {"limit": str(limit)}
        if status is not None:
            query["status"] = status
        if after is not None:
            query["after"] = after
        return (await self._notify.call(browser, "GET", "/v1/notifications", query=query)).parse(Page)

    async def find(self, browser: Browser, notification_id: UUID) -> Detail:
        return (await self._notify.call(browser, "GET", f"/v1/notifications/{notification_id}")).parse(Detail)

    async def cancel(self, browser: Browser, notification_id: UUID) -> Notification:
        reply = await self._notify.call(browser, "POST", f"/v1/notifications/{notification_id}/cancel")
        return reply.parse(Notification)

    async def retry(self, browser: Browser, notification_id: UUID) -> Notification:
        reply = await self._notify.call(browser, "POST", f"/v1/notifications/{notification_id}/retry")
        return reply.parse(Notification)

    async def send_email(self, browser: Browser, *, email: str, subject: str, text: str, key: str) -> Notification:
        body: dict[str, JsonValue] = {
            "channel": "email",
            "to": {"email": email},
            "content": {"subject": subject, "text": text},
        }
        reply = await self._notify.call(
            browser, "POST", "/v1/notifications", body=body, headers={"Idempotency-Key": key}
        )
        return reply.parse(Notification)
