"""What the dashboard needs of notify."""

from typing import Protocol
from uuid import UUID

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.notifications.notification import Detail, Notification, Page


class Notifications(Protocol):
    """The user's notifications. Each method raises ServiceDown where notify does not answer."""

    async def listed(
        self, browser: Browser, *, status: str | None = None, after: str | None = None, limit: int = 25
    ) -> Page:
        """A page, newest first; `after` is the `next` of the page before."""

    async def find(self, browser: Browser, notification_id: UUID) -> Detail:
        """One, with its timeline.

        :raises NotFound: there is none, or it is another's.
        """

    async def cancel(self, browser: Browser, notification_id: UUID) -> Notification:
        """Keep one that waits from being sent.

        :raises Conflict: it is with the provider, or ended.
        """

    async def retry(self, browser: Browser, notification_id: UUID) -> Notification:
        """Try once more what failed or expired.

        :raises Conflict: it did not end that way.
        """

    async def send(self, browser: Browser, *, email: str, subject: str, text: str, key: str) -> Notification:
        """Send a mail; the same `key` sends once.

        :raises Forbidden: the account is on trial, and the address is another's.
        :raises Invalid: `errors` names the fields.
        """
