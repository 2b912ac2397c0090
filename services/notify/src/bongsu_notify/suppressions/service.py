"""The suppression list: who gets no more mail of a user, and why. Every function runs in the caller's unit of work."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, exists, func

from bongsu.mixins import UUIDKey, utc_now, uuid7
from bongsu.runtime.id_pages import page_by_id
from bongsu_notify.deliveries.outcomes import clean_detail
from bongsu_notify.errors import SuppressionNotFound
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.suppressions.models import SYSTEM, Suppression

Reason = Literal["bounce", "complaint", "manual"]


def is_suppressed() -> ColumnElement[bool]:
    """The condition that a notification's recipient is on the list of its owner."""
    owner = func.coalesce(Notification.user_id, bindparam(None, SYSTEM, type_=UUIDKey()))
    listed = exists().where(Suppression.user_id == owner, Suppression.recipient == Notification.recipient)
    return (Notification.mode == "live") & listed


async def suppress(row: Notification, reason: Reason, detail: str | None) -> None:
    """Add the recipient of a notification to the list of its owner. An entry that is there stays as it is."""
    await _add(row.user_id or SYSTEM, row.recipient, reason, row.id, clean_detail(detail) if detail else None)


async def add(principal: Principal, recipient: str) -> Suppression:
    """Add an address by hand; return its entry, new or not."""
    await _add(principal.user_id, recipient, "manual", None, None)
    return await Suppression.filter_by(user_id=principal.user_id, recipient=recipient).one()


async def list_page(
    principal: Principal, *, recipient: str | None, limit: int, after: UUID | None
) -> tuple[Sequence[Suppression], UUID | None]:
    """A page, newest first, and the id to continue after (None at the end). Staff see all."""
    rows = Suppression.query()
    if not principal.sees_all:
        rows = rows.filter_by(user_id=principal.user_id)
    if recipient is not None:
        rows = rows.filter_by(recipient=recipient)
    return await page_by_id(rows, limit=limit, after=after)


async def remove(principal: Principal, suppression_id: UUID) -> None:
    """Remove an entry: its address gets mail again.

    :raises SuppressionNotFound: it does not exist, or belongs to another user.
    """
    rows = Suppression.filter_by(id=suppression_id)
    if not principal.sees_all:
        rows = rows.filter_by(user_id=principal.user_id)
    if not await rows.delete():
        raise SuppressionNotFound


async def _add(user_id: UUID, recipient: str, reason: Reason, notification_id: UUID | None, detail: str | None) -> None:
    row = {
        "id": uuid7(),
        "user_id": user_id,
        "recipient": recipient,
        "reason": reason,
        "notification_id": notification_id,
        "detail": detail,
        "created_at": utc_now(),
        "updated_at": utc_now(),
    }
    await Suppression.upsert([row], by=("user_id", "recipient"), update=[])
