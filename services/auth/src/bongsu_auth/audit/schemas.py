"""Responses about the audit log."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class AuditOut(BaseModel):
    """An action: its actor, and the user and the object that it concerns."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime = Field(validation_alias="created_at")
    action: str
    actor_id: UUID | None
    actor_key_id: UUID | None
    subject_id: UUID | None
    target: str | None
    address: str | None
    details: dict[str, str | int] | None


class AuditPage(BaseModel):
    """Entries, newest first."""

    items: list[AuditOut]
    next: str | None
