"""An operator's commands, without the API: `user create`, `user promote`, `key create` and `signing-key rotate`.

Each opens its own unit of work, and needs a connected `Database`. The API's rules for input apply.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from bongsu.identity.api_keys import KeyDirectory
from bongsu.identity.models import ApiKey, KeyMode, User
from bongsu.identity.scopes import KEY_SCOPES, Role, Scope
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime.errors import FieldError, Invalid
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.accounts.passwords import PasswordHasher
from bongsu_auth.accounts.schemas import RegisterIn, UserCreate
from bongsu_auth.accounts.users import UserDatabase
from bongsu_auth.api_keys.schemas import KeyIn
from bongsu_auth.api_keys.service import ApiKeys
from bongsu_auth.errors import UserNotFound
from bongsu_auth.mails import Mails
from bongsu_auth.notices.service import SecurityNotices
from bongsu_auth.signing_keys import service as signing_keys

Body = TypeVar("Body", bound=BaseModel)


async def create_user(  # noqa: PLR0913 - each is one field of the user
    database: Database,
    email: str,
    password: str,
    *,
    name: str | None = None,
    role: Role = Role.USER,
    locale: str = "ko",
    sending: str = "live",
) -> User:
    """Create an account that can sign in immediately: its address counts as verified, and no mail is sent.

    :raises Invalid: address, password or name is not acceptable, with the reason.
    :raises AddressTaken: another account has the address.
    """
    given = _validate(RegisterIn, {"email": email, "password": password, "name": name, "locale": locale})
    user = UserCreate(
        email=given.email,
        password=given.password.get_secret_value(),
        name=given.name,
        role=role,
        locale=given.locale or "ko",
        sending=sending,
        is_verified=True,
    )
    with _open_manager(database) as manager:
        return await manager.create(user)


async def promote(database: Database, email: str, role: Role) -> User:
    """Give a role to the account with this address. Its tokens are denied within seconds.

    :raises UserNotFound: no account has the address.
    """
    with _open_manager(database) as manager:
        async with database.unit():
            user = await _find(email)
            await manager.set_role(user, role)
            return user


async def create_key(  # noqa: PLR0913 - each is one field of the key
    database: Database,
    vault: Vault,
    public_url: str,
    email: str,
    *,
    memo: str | None = None,
    scopes: Iterable[Scope] = KEY_SCOPES,
    mode: KeyMode = "live",
    max_active: int = 3,
) -> tuple[ApiKey, str]:
    """Create a key for the account with this address, and notify its owner. Returns it and its secret.

    :param public_url: for the link in the mail.
    :raises Invalid: the memo is not acceptable, with the reason.
    :raises UserNotFound: no account has the address.
    :raises TooManyKeys: the account has as many active keys as the limit allows.
    """
    new = _validate(KeyIn, {"memo": memo, "scopes": list(scopes), "mode": mode})
    notices = SecurityNotices(Mails(vault, public_url))
    keys = ApiKeys(database, vault, KeyDirectory(vault), notices, max_active=max_active)
    async with database.unit():
        user = await _find(email)
        return await keys.create(user.id, new)


async def rotate_signing_key(database: Database, vault: Vault) -> str:
    """Create the next key that signs tokens. Returns its ID."""
    return await database.run(signing_keys.rotate, vault)


@contextmanager
def _open_manager(database: Database) -> Iterator[UserManager]:
    hasher = PasswordHasher(workers=1)
    try:
        yield UserManager(UserDatabase(), hasher, database)
    finally:
        hasher.close()


async def _find(email: str) -> User:
    user = await UserDatabase().read_by_email(email)
    if user is None:
        raise UserNotFound
    return user


def _validate(body: type[Body], values: Mapping[str, object]) -> Body:
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
