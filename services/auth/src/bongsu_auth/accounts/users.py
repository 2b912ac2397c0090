"""fastapi-users' user database, on our tables."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi_users.db import BaseUserDatabase

from bongsu.identity.emails import normalise_email
from bongsu.identity.models import User
from bongsu_auth.accounts.lookups import AddressLookups


# mypy reads `Mapped[UUID]` as another type than the `id: ID` of fastapi-users' user protocol.
class UserDatabase(BaseUserDatabase[User, UUID]):  # type: ignore[type-var]  # see above
    """Reads and writes users in the caller's unit of work. Never commits."""

    def __init__(self) -> None:
        self._lookups = AddressLookups()

    async def get(self, id: UUID) -> User | None:  # noqa: A002 - the base class's name
        """Return the user with this ID."""
        return await User.get_or_none(id)

    async def get_by_email(self, email: str) -> User | None:
        """Return the user with this address, in any spelling of it, outside of any unit of work.

        The user has only the columns that a sign-in reads: to read another one raises an error.
        """
        return await self._lookups.find(email)

    async def read_by_email(self, email: str) -> User | None:
        """Return the user with this address, in the caller's unit of work."""
        try:
            return await User.filter_by(email_norm=normalise_email(email)).first()
        except ValueError:
            return None

    async def create(self, create_dict: dict[str, Any]) -> User:
        """Insert a user. `email` may be None; `is_verified` stores the present time.

        :raises bongsu.mixins.Conflict: another user has the address.
        """
        values = dict(create_dict)
        email = values.pop("email")
        values["email_norm"] = normalise_email(email) if email is not None else None
        if values.pop("is_verified", False):
            values["email_verified_at"] = datetime.now(UTC)
        return await User.create(**values)

    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        """Change columns of a user."""
        await user.update(**update_dict)
        return user

    async def delete(self, user: User) -> None:
        """Delete a user."""
        await user.delete()
