"""API keys over auth's API: a linked user's own, and for managers those of an account."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from bongsu.contracts.wire import Wire
from bongsu_bot.apis import LinkedUser
from bongsu_bot.users.service import find_id

PAGE = 5


class Key(Wire):
    """A key, without its secret."""

    id: UUID
    access_key: str
    memo: str | None
    mode: Literal["live", "test"]
    status: str
    created_at: datetime


class KeyPage(Wire):
    """A page, newest first, and the cursor of the following one."""

    items: list[Key]
    next: str | None


async def list_page(user: LinkedUser, account: str | None, after: str | None) -> KeyPage:
    """Return a page of the user's own keys, or of those of an account.

    :param account: its address or ID.
    :raises NotFound: there is no such account.
    """
    query = {"limit": str(PAGE)} | ({"after": after} if after is not None else {})
    return await user.call("auth", "GET", await _path(user, account), KeyPage, query=query)


async def revoke(user: LinkedUser, account: str | None, key_id: UUID) -> None:
    """Delete one of the user's own keys, or one of an account.

    :param account: its address or ID.
    :raises NotFound: there is no such account, or it has no such key.
    :raises Forbidden: the account's role is not below the user's.
    """
    await user.delete("auth", f"{await _path(user, account)}/{key_id}")


async def _path(user: LinkedUser, account: str | None) -> str:
    return "/auth/api-keys" if account is None else f"/auth/users/{await find_id(user, account)}/api-keys"
