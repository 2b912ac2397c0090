"""Notifications over notify's API, with the authority of a linked user."""

from uuid import UUID

from bongsu.contracts.notifications import NotificationDetail, NotificationOut, NotificationPage
from bongsu_bot.apis import LinkedUser

PAGE = 5


async def search(user: LinkedUser, *, recipient: str | None, status: str | None, after: str | None) -> NotificationPage:
    """Return a page of notifications, newest first."""
    filters = {"to": recipient, "status": status, "after": after, "limit": str(PAGE)}
    query = {name: value for name, value in filters.items() if value is not None}
    return await user.call("notify", "GET", "/v1/notifications", NotificationPage, query=query)


async def find(user: LinkedUser, notification_id: UUID) -> NotificationDetail:
    """Return a notification with its timeline.

    :raises NotFound: no notification has this ID.
    """
    return await user.call("notify", "GET", f"/v1/notifications/{notification_id}", NotificationDetail)


async def retry(user: LinkedUser, notification_id: UUID, key: str) -> NotificationOut:
    """Send a failed or expired notification again; once for each key.

    :raises NotFound: no notification has this ID.
    :raises Conflict: it cannot be retried.
    """
    path = f"/v1/notifications/{notification_id}/retry"
    return await user.call("notify", "POST", path, NotificationOut, idempotency_key=key)


async def cancel(user: LinkedUser, notification_id: UUID) -> NotificationOut:
    """Cancel a notification that waits.

    :raises NotFound: no notification has this ID.
    :raises Conflict: it is sent, or being sent.
    """
    return await user.call("notify", "POST", f"/v1/notifications/{notification_id}/cancel", NotificationOut)
