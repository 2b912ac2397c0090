"""Requests and responses about the accounts of others."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bongsu.identity.models import UserStatus
from bongsu.identity.scopes import Role
from bongsu_auth.accounts.schemas import Strict, without_null

Sending = Literal["trial", "live"]


class UserQuery(Strict):
    """Which accounts to list."""

    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=320)] | None = Field(
        default=None, description="Accounts whose address begins with this text"
    )
    status: UserStatus | None = None
    role: Role | None = None
    sending: Sending | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: UUID | None = Field(default=None, description="`next` of the previous page")


class UserPatch(Strict):
    """Changes to an account. A missing field stays as it is."""

    status: UserStatus | None = Field(default=None, description="Managers only", json_schema_extra=without_null)
    role: Role | None = Field(default=None, description="Administrators only", json_schema_extra=without_null)
    sending: Sending | None = Field(default=None, description="Administrators only", json_schema_extra=without_null)


class UserOut(BaseModel):
    """An account, as managers see it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str | None = Field(validation_alias="email_norm")
    email_verified: bool = Field(validation_alias="is_verified")
    name: str | None
    locale: str
    role: Role
    status: UserStatus
    sending: Sending
    mfa_enabled: bool = Field(validation_alias="has_second_factor")
    created_at: datetime


class UserPage(BaseModel):
    """Accounts, newest first."""

    items: list[UserOut]
    next: str | None
