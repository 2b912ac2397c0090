"""What an operator does without the API: the commands `user create`, `user promote` and `key create`.

Each opens its own unit of work, and needs a connected `Database`.
"""

from bongsu import mixins
from bongsu.identity.models import ApiKey, User
from bongsu.identity.scopes import Role
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_auth.accounts import service as accounts
from bongsu_auth.accounts.passwords import PasswordHasher
from bongsu_auth.accounts.users import password_problem
from bongsu_auth.api_keys import service as api_keys
from bongsu_auth.api_keys.service import KeyFacts
from bongsu_auth.errors import AddressTaken, invalid_field


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

    :raises Invalid: the address or the password is not acceptable; it says why.
    :raises AddressTaken: there is an account with this address already.
    """
    if problem := password_problem(password, email):
        raise invalid_field("password", problem)
    hasher = PasswordHasher(workers=1)
    try:
        hashed = await hasher.hash(password)
    finally:
        hasher.close()
    try:
        async with database.unit():
            return await accounts.create_user(
                email=email, hashed_password=hashed, name=name, role=role, locale=locale, sending=sending
            )
    except ValueError as error:
        raise invalid_field("email", str(error)) from error
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

    :raises UserNotFound: there is no such account.
    :raises TooManyKeys: it has as many active keys as are allowed.
    """
    async with database.unit():
        user = await accounts.find(email)
        return await api_keys.create(user.id, facts or KeyFacts(), vault, max_active=max_active)
