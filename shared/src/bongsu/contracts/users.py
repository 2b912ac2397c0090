"""Events of accounts, for the services that keep data of users."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from bongsu.contracts.tokens import Role
from bongsu.contracts.wire import Wire


class UserDeleted(Wire):
    """An account was deleted: the receiver deletes what it keeps of the user.

    `sealed_email` is the address, sealed by the vault under `email_context(user_id)`; None for an account without one.
    """

    version: Literal[1] = 1
    user_id: UUID
    sealed_email: str | None
    at: datetime


class UserBlocked(Wire):
    """An account was blocked: the receiver stops what it does on the user's behalf."""

    version: Literal[1] = 1
    kind: Literal["user.blocked"] = "user.blocked"
    user_id: UUID
    at: datetime


class UserRoleChanged(Wire):
    """An account has another role."""

    version: Literal[1] = 1
    kind: Literal["user.role_changed"] = "user.role_changed"
    user_id: UUID
    role: Role
    at: datetime


UserChange = Annotated[UserBlocked | UserRoleChanged, Field(discriminator="kind")]
USER_CHANGE: Final[TypeAdapter[UserBlocked | UserRoleChanged]] = TypeAdapter(UserChange)


def email_context(user_id: UUID) -> str:
    """The vault's context (AAD) for the address in an event: bound to the account."""
    return f"user-deleted:{user_id}"
