"""Accounts over auth's API, with the authority of a linked user."""

from typing import Literal
from uuid import UUID

from bongsu.contracts.tokens import Role
from bongsu.contracts.wire import Wire
from bongsu_bot.apis import LinkedUser
from bongsu_bot.errors import AccountUnknown

PAGE = 5
Status = Literal["active", "blocked"]


class Account(Wire):
    """An account, as auth shows it to managers."""

    id: UUID
    email: str | None
    name: str | None
    role: Role
    status: Status


class AccountPage(Wire):
    """A page of accounts, newest first, and the cursor of the following one."""

    items: list[Account]
    next: str | None


async def search(user: LinkedUser, *, address: str | None, after: str | None) -> AccountPage:
    """Return a page of the accounts whose address begins with a text."""
    filters = {"q": address, "after": after, "limit": str(PAGE)}
    query = {name: value for name, value in filters.items() if value is not None}
    return await user.call("auth", "GET", "/auth/users", AccountPage, query=query)


async def set_status(user: LinkedUser, account: str, status: Status) -> Account:
    """Block or unblock an account.

    :param account: its address or ID.
    :raises NotFound: there is no such account.
    :raises Forbidden: it is the user's own, or its role is not below the user's.
    """
    found = await find_id(user, account)
    return await user.call("auth", "PATCH", f"/auth/users/{found}", Account, body={"status": status})


async def find_id(user: LinkedUser, account: str) -> UUID:
    """Return the ID of an account, given its address or its ID.

    :raises AccountUnknown: no account has this address.
    """
    try:
        return UUID(account)
    except ValueError:
        pass
    address = account.strip().lower()
    page = await search(user, address=address, after=None)
    for one in page.items:
        if one.email == address:
            return one.id
    raise AccountUnknown
