"""What the dashboard needs of notify."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from bongsu.contracts.notifications import NotificationCounts, Status
from bongsu.contracts.stats import Stats
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.notifications.notification import Content, Detail, Notification, Page


@dataclass(frozen=True, slots=True)
class NotificationQuery:
    """The filters of a list; None does not filter.

    :param statuses: any of them; none for all.
    :param search: a part of the subject or recipient, an address or an id.
    :param since: accepted at or after it.
    :param until: accepted before it.
    """

    statuses: tuple[Status, ...] = ()
    scheduled: bool | None = None
    channel: str | None = None
    search: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = NotificationQuery()


class NotifyClient(Protocol):
    """The user's notifications at notify. Each method raises ServiceDown where notify does not answer."""

    async def list_page(
        self, browser: Browser, query: NotificationQuery = EVERYTHING, *, after: str | None = None, limit: int = 50
    ) -> Page:
        """A page, newest first; `after` is the `next` of the previous page. A page of a search may be short."""

    async def count(
        self, browser: Browser, *, since: datetime | None = None, until: datetime | None = None
    ) -> NotificationCounts:
        """How many notifications have each status."""

    async def load_stats(
        self, browser: Browser, *, since: datetime, until: datetime, bucket: Literal["hour", "day"]
    ) -> Stats:
        """How many notifications have each status, by when they were accepted."""

    async def find(self, browser: Browser, notification_id: UUID) -> Detail:
        """One notification with its timeline.

        :raises NotFound: it does not exist or belongs to another user.
        """

    async def load_content(self, browser: Browser, notification_id: UUID) -> Content:
        """What a notification says.

        :raises NotFound: as `find`.
        """

    async def cancel(self, browser: Browser, notification_id: UUID) -> Notification:
        """Cancel a notification that waits.

        :raises Conflict: the provider has it, or it ended.
        """

    async def restore(self, browser: Browser, notification_id: UUID) -> Notification:
        """Undo the cancellation of a notification. One that is not cancelled stays as it is.

        :raises Conflict: it may not be sent any more.
        """

    async def retry(self, browser: Browser, notification_id: UUID) -> Notification:
        """Send a failed or expired notification again.

        :raises Conflict: it did not end that way.
        """

    async def retry_many(self, browser: Browser, ids: Sequence[UUID]) -> int:
        """Send the failed and expired ones among notifications again; return how many."""

    async def send_message(self, browser: Browser, *, to: Mapping[str, str], text: str, key: str) -> Notification:
        """Send a message by Discord; the same `key` sends once.

        :param to: one of `channel_id`, `user_id` (the user's own) and `topic`.
        :raises Forbidden: the user does not manage the channel's server, or the account may not send there.
        :raises Invalid: `errors` names the fields.
        """

    async def send_kakao(
        self, browser: Browser, *, user_id: UUID, content: Mapping[str, str], key: str
    ) -> Notification:
        """Send a message to the KakaoTalk of a user (the user's own); the same `key` sends once.

        :param content: `text`, and `link` or not.
        :raises Invalid: `errors` names the fields.
        """

    async def send_email(self, browser: Browser, *, email: str, content: Mapping[str, str], key: str) -> Notification:
        """Send a mail; the same `key` sends once.

        :param content: `subject`, and `text`, `html` or both.

        :raises Forbidden: the account is on trial, and the address belongs to another user.
        :raises Invalid: `errors` names the fields.
        """
