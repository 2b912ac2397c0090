"""What happened to an account, sent to every replica of every service on the topic `queues.EVENTS`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from bongsu.contracts.wire import Wire


class UserDeleted(Wire):
    """Every service purges what it holds of this user."""

    kind: Literal["user.deleted"] = "user.deleted"
    user_id: UUID
    at: datetime


class UserBlocked(Wire):
    """Every service ends what this user has open."""

    kind: Literal["user.blocked"] = "user.blocked"
    user_id: UUID
    at: datetime


class UserRoleChanged(Wire):
    """Tokens issued before `at` no longer tell the role."""

    kind: Literal["user.role_changed"] = "user.role_changed"
    user_id: UUID
    role: str
    at: datetime


AccountEvent = Annotated[UserDeleted | UserBlocked | UserRoleChanged, Field(discriminator="kind")]
ACCOUNT_EVENT: TypeAdapter[AccountEvent] = TypeAdapter(AccountEvent)
