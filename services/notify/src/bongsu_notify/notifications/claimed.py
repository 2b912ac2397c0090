"""A notification as a worker claims it: what it takes to send it and to record the outcome."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from sqlalchemy import func

from bongsu.contracts.notifications import Guarantee, Mode
from bongsu.contracts.queues import Priority
from bongsu_notify.notifications.models import Notification


class ClaimedNotification(NamedTuple):
    """The columns of a `Notification`, without a session: an instance of the ORM costs several times as much."""

    id: UUID
    lease_owner: UUID
    user_id: UUID | None
    mode: Mode
    channel: str
    recipient: str
    to: dict[str, Any]
    sender: str | None
    reply_to: str | None
    template: str | None
    locale: str
    subject: str | None
    category: str
    topic: str | None
    priority: Priority
    guarantee: Guarantee
    send_at: datetime | None
    expires_at: datetime | None
    details: Mapping[str, object]
    attempt: int
    attempts_before: int
    error_code: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def read(cls, document: str, owner: UUID) -> Self:
        """Read a value of `DOCUMENT`."""
        key, user, *values = json.loads(document)
        for at in _DOCUMENTS:
            values[at] = json.loads(values[at])
        for at in _TIMES:
            if values[at] is not None:
                values[at] = datetime.fromisoformat(values[at]).replace(tzinfo=UTC)
        return cls(UUID(key), owner, UUID(user) if user else None, *values)


Deliverable = Notification | ClaimedNotification
"""What a channel renders."""

_FIELDS: Final = ClaimedNotification._fields[3:]
_DOCUMENTS: Final = [_FIELDS.index(name) for name in ("to", "details")]
_TIMES: Final = [_FIELDS.index(name) for name in ("send_at", "expires_at", "created_at", "updated_at")]
DOCUMENT: Final = func.json_array(
    func.hex(Notification.id), func.hex(Notification.user_id), *(getattr(Notification, name) for name in _FIELDS)
)
"""The columns as one: the driver takes as long for each column as for a whole document."""
