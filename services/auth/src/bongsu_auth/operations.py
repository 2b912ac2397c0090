"""What an operator does without the API: the commands `user create`, `user promote` and `key create`.

Each opens its own unit of work, and needs a connected `Database`. What is given is held to the API's rules.
"""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from bongsu import mixins
from bongsu.identity.models import ApiKey, User
from bongsu.identity.scopes import Role
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime.errors import FieldError, Invalid
from bongsu_auth.accounts import service as accounts
from bongsu_auth.accounts.passwords import PasswordHasher
from bongsu_auth.accounts.schemas import RegisterIn
from bongsu_auth.api_keys import service as api_keys
from bongsu_auth.api_keys.schemas import KeyIn
from bongsu_auth.api_keys.service import KeyFacts
from bongsu_auth.errors import AddressTaken

Body = TypeVar("Body", bound=BaseModel)


async def create_user(  # noqa: PLR0913 - each is one fact about the user
    database: Database,
    email: str,
    password: str,
    *,
    name: str | None = None,
    role: Role = Role.USER,
    locale: str = "ko",
    sending: str = "live",
) -> User:
    """An account that can sign in at once: its address counts as proven, and no mail is sent.

    :raises Invalid: the address, the password or the name is not acceptable; it says why.
    :raises AddressTaken: there is an account with this address already.
    """
    given = _checked(RegisterIn, {"email": email, "password": password, "name": name, "locale": locale})
    hasher = PasswordHasher(workers=1)
    try:
        hashed = await hasher.hash(given.password.get_secret_value())
    finally:
        hasher.close()
    try:
        async with database.unit():
            return await accounts.create_user(
                email=given.email, hashed_password=hashed, name=given.name, role=role, locale=locale, sending=sending
            )
    except mixins.Conflict as error:
        raise AddressTaken from error


async def promote(database: Database, email: str, role: Role) -> User:
    """Gives a role to the account with this address; its tokens are denied within seconds.

    :raises UserNotFound: there is no such account.
    """
    async with database.unit():
        user = await accounts.find(email)
        await accounts.set_role(user, role)
        return user


async def create_key(
    database: Database, vault: Vault, email: str, facts: KeyFacts | None = None, *, max_active: int = 3
) -> tuple[ApiKey, str]:
    """A key for the account with this address, and its secret.

    :raises Invalid: the memo is not acceptable; it says why.
    :raises UserNotFound: there is no such account.
    :raises TooManyKeys: it has as many active keys as are allowed.
    """
    facts = facts or KeyFacts()
    facts = dataclasses.replace(facts, memo=_checked(KeyIn, {"memo": facts.memo}).memo)
    async with database.unit():
        user = await accounts.find(email)
        return await api_keys.create(user.id, facts, vault, max_active=max_active)


def _checked(body: type[Body], values: Mapping[str, object]) -> Body:
    try:
        return body.model_validate(values)
    except ValidationError as error:
        # Without the input, which may be a password.
        found = [
            FieldError(("body", *item["loc"]), str(item["msg"]).removeprefix("Value error, "))
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        names = ", ".join(dict.fromkeys(str(item.loc[1]) for item in found))
        raise Invalid(f"Invalid input: {names}", errors=found) from None
