"""Responses about the audit log."""

from datetime import datetime
from typing import Self
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

    @classmethod
    def of(cls, entry: object, *, reader_id: UUID | None) -> Self:
        """Describe an entry to a user, or to a manager (None), who sees the address of every actor."""
        shown = cls.model_validate(entry)
        # Without an actor it is an address that guessed a password: its owner has to see it.
        if reader_id is None or shown.actor_id in (None, reader_id):
            return shown
        return shown.model_copy(update={"address": None})


class AuditPage(BaseModel):
    """Entries, newest first."""

    items: list[AuditOut]
    next: str | None
