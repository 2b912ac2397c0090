"""Events of accounts, for the services that keep data of users."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from bongsu.contracts.wire import Wire


class UserDeleted(Wire):
    """An account was deleted: the receiver deletes what it keeps of the user.

    `sealed_email` is the address, sealed by the vault under `email_context(user_id)`; None for an account without one.
    """

    version: Literal[1] = 1
    user_id: UUID
    sealed_email: str | None
    at: datetime


def email_context(user_id: UUID) -> str:
    """The vault's context (AAD) for the address in an event: bound to the account."""
    return f"user-deleted:{user_id}"
