"""What the dashboard needs of notify."""

from typing import Protocol
from uuid import UUID

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.notifications.notification import Detail, Notification, Page


class NotifyClient(Protocol):
    """The user's notifications at notify. Each method raises ServiceDown where notify does not answer."""

    async def list_page(
        self, browser: Browser, *, status: str | None = None, after: str | None = None, limit: int = 25
    ) -> Page:
        """A page, newest first; `after` is the `next` of the previous page."""

    async def find(self, browser: Browser, notification_id: UUID) -> Detail:
        """One notification with its timeline.

        :raises NotFound: it does not exist or belongs to another user.
        """

    async def cancel(self, browser: Browser, notification_id: UUID) -> Notification:
        """Cancel a notification that waits.

        :raises Conflict: the provider has it, or it ended.
        """

    async def retry(self, browser: Browser, notification_id: UUID) -> Notification:
        """Send a failed or expired notification again.

        :raises Conflict: it did not end that way.
        """

    async def send_email(self, browser: Browser, *, email: str, subject: str, text: str, key: str) -> Notification:
        """Send a mail; the same `key` sends once.

        :raises Forbidden: the account is on trial, and the address belongs to another user.
        :raises Invalid: `errors` names the fields.
        """
