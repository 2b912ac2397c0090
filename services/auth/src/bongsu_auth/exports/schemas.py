"""The parts of an export that auth keeps."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from bongsu_auth.accounts.schemas import Me
from bongsu_auth.api_keys.schemas import EntryOut, KeyOut
from bongsu_auth.audit.schemas import AuditOut
from bongsu_auth.oauth.schemas import IdentityOut


class ExportedSession(BaseModel):
    """A sign-in on one device, ended or not."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    auth_time: datetime
    amr: str
    user_agent: str | None
    address: str | None
    ended_at: datetime | None
    end_reason: str | None


class ExportedKey(KeyOut):
    """A key with its allow-list, without its secret."""

    allowlist: list[EntryOut] = Field(default_factory=list)


class AccountExport(BaseModel):
    """What auth keeps of a user. It has no password, secret or token."""

    exported_at: datetime
    account: Me
    identities: list[IdentityOut]
    sessions: list[ExportedSession]
    api_keys: list[ExportedKey]
    audit: list[AuditOut]
