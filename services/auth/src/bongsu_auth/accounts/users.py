"""fastapi-users on our own tables: the user database on the mixins, and the manager that signs users in."""

from typing import Any
from uuid import UUID

from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import BaseUserManager, InvalidPasswordException, UUIDIDMixin, schemas
from fastapi_users.db import BaseUserDatabase

from bongsu.identity.emails import normalise_email
from bongsu.identity.models import User
from bongsu_auth.accounts.passwords import MAX_CHARS, MIN_CHARS, PasswordHasher


# mypy does not see through `Mapped[UUID]` where a protocol says Any, as the bound of their type variable does.
class UserDatabase(BaseUserDatabase[User, UUID]):  # type: ignore[type-var]  # see above
    """Users in our table. It flushes and never commits: that is for the unit of work around it."""

    async def get(self, id: UUID) -> User | None:  # noqa: A002 - the name is the base class's
        """The user of that id, or None."""
        return await User.get_or_none(id)

    async def get_by_email(self, email: str) -> User | None:
        """The user with that address, however it is spelt, or None."""
        try:
            return await User.filter_by(email_norm=normalise_email(email)).first()
        except ValueError:
            return None

    async def create(self, create_dict: dict[str, Any]) -> User:
        """A new user.

        :raises bongsu.mixins.Conflict: another user has the address.
        """
        values = dict(create_dict)
        values["email_norm"] = normalise_email(values.pop("email"))
        return await User.create(**values)

    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        """The user with changed fields."""
        await user.update(**update_dict)
        return user

    async def delete(self, user: User) -> None:
        """Removes the user."""
        await user.delete()


class UserManager(UUIDIDMixin, BaseUserManager[User, UUID]):  # type: ignore[type-var]  # as above
    """fastapi-users' manager, with passwords hashed off the event loop and no transaction held meanwhile."""

    def __init__(self, user_db: UserDatabase, hasher: PasswordHasher) -> None:
        super().__init__(user_db)
        self._hasher = hasher

    async def authenticate(self, credentials: OAuth2PasswordRequestForm) -> User | None:
        """The user whom the credentials are of, or None: after the same work, whatever is wrong."""
        return await self.sign_in(credentials.username, credentials.password)

    async def sign_in(self, email: str, password: str) -> User | None:
        """As `authenticate`; call it outside of a unit of work.

        :raises Unavailable: too many passwords are waiting to be hashed.
        """
        return await self.check(await self.user_db.get_by_email(email), password)

    async def check(self, user: User | None, password: str) -> User | None:
        """The user, if the password is theirs and the account may be used; else None, after the same work."""
        verdict = await self._hasher.verify(password, user.hashed_password if user is not None else None)
        if user is None or not verdict.right or not user.is_active or not user.is_verified:
            return None
        if verdict.rehashed is not None:
            # Only if it is still the hash that was verified: the password may have been changed meanwhile.
            await User.filter_by(id=user.id, hashed_password=user.hashed_password).update(
                hashed_password=verdict.rehashed
            )
        return user

    async def validate_password(self, password: str, user: schemas.BaseUserCreate | User) -> None:
        """Refuses passwords that are too short, too long or the address itself."""
        if problem := password_problem(password, user.email):
            raise InvalidPasswordException(problem)


def password_problem(password: str, email: str | None) -> str | None:
    """What is wrong with a new password, or None."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        return f"A password has {MIN_CHARS} to {MAX_CHARS} characters"
    if email is not None and password.strip().casefold() in (email.casefold(), email.partition("@")[0].casefold()):
        return "The password must not be the email address"
    return None
