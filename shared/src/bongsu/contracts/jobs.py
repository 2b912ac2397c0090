"""Messages on the queues of notify."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from bongsu.contracts.queues import Priority
from bongsu.contracts.wire import Wire


class EmailRecipient(Wire):
    """An email address and the name to show beside it."""

    email: str = Field(max_length=320)
    name: Annotated[str, Field(max_length=200)] | None = None


class NotificationJob(Wire):
    """A service's request for a mail from one of notify's built-in templates.

    `id` becomes the notification's id, so a job that arrives twice makes one notification. The variables may hold
    secrets (a verification link): they travel sealed by the vault under `variables_context(id)`.
    """

    version: Literal[1] = 1
    id: UUID
    template: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    locale: Literal["ko", "en"] = "ko"
    to: EmailRecipient
    user_id: UUID | None = None
    sealed_variables: str
    priority: Priority = "high"
    expires_at: datetime | None = None


class DeliveryWakeup(Wire):
    """A notification is due. Only its id travels: the row is the truth."""

    version: Literal[1] = 1
    notification_id: UUID


def variables_context(notification_id: UUID) -> str:
    """The vault's context (AAD) for a notification's sealed variables: bound to the row that they belong to."""
    return f"notification:{notification_id}"
