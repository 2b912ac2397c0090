"""Responses about the audit log."""

from collections.abc import Mapping
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
    def of(cls, entry: object, *, reader_id: UUID | None, emails: Mapping[UUID | None, str]) -> Self:
        """Describe an entry to a user, or to a manager (None), who sees the address of every actor.

        :param emails: by the user, for managers.
        """
        shown = cls.model_validate(entry)
        shown.actor_email, shown.subject_email = emails.get(shown.actor_id), emails.get(shown.subject_id)
        # Without an actor it is an address that guessed a password: its owner has to see it.
        if reader_id is not None and shown.actor_id not in (None, reader_id):
            shown.address = None
        return shown


class AuditPage(BaseModel):
    """Entries, newest first."""

    items: list[AuditOut]
    next: str | None
