"""What goes over HTTP about the audit log."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from bongsu.identity.models import AuditEntry


class AuditOut(BaseModel):
    """Who did what to whom."""

    id: UUID
    at: datetime
    action: str
    actor_id: UUID | None
    actor_key_id: UUID | None
    subject_id: UUID | None
    target: str | None
    address: str | None
    details: dict[str, str | int] | None

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """From the row."""
        return cls(
            id=entry.id,
            at=entry.created_at,
            action=entry.action,
            actor_id=entry.actor_id,
            actor_key_id=entry.actor_key_id,
            subject_id=entry.subject_id,
            target=entry.target,
            address=entry.address,
            details=entry.details,
        )


class AuditPage(BaseModel):
    """Entries, newest first."""

    items: list[AuditOut]
    next: str | None
