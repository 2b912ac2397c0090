"""Responses about the audit log."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bongsu.contracts.audit import AuditAction
from bongsu_auth.accounts.schemas import Strict


class AuditQuery(Strict):
    """Which entries to list."""

    about_me: bool = Field(default=False, description="Only entries that concern your account")
    actor_id: UUID | None = Field(default=None, description="Only actions of this user")
    subject_id: UUID | None = Field(default=None, description="Only entries that concern this user")
    action: AuditAction | None = None
    since: AwareDatetime | None = Field(default=None, description="Recorded at or after this time")
    until: AwareDatetime | None = Field(default=None, description="Recorded before this time")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: UUID | None = Field(default=None, description="`next` of the previous page")


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
    actor_email: str | None = Field(default=None, description="Managers only")
    subject_email: str | None = Field(default=None, description="Managers only")

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
