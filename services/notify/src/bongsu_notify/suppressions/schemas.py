"""`/v1/suppressions` over HTTP."""

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from bongsu.contracts.notifications import Instant
from bongsu.contracts.wire import Wire
from bongsu_notify.notifications.schemas import Body, Email


class SuppressionIn(Body):
    """An address that shall get no more of your mail."""

    recipient: Email


class SuppressionQuery(Body):
    """The filters of the list."""

    recipient: Email | None = None
    limit: int = Field(default=50, ge=1, le=200)
    after: UUID | None = Field(default=None, description="`next` of the previous page")


class SuppressionOut(Wire):
    """An address that gets no more mail, and why."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    recipient: str
    reason: Literal["bounce", "complaint", "manual"]
    notification_id: UUID | None
    detail: str | None
    created_at: Instant


class SuppressionPage(Wire):
    """A page, newest first."""

    items: list[SuppressionOut]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end")
