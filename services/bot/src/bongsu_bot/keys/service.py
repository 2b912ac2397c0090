"""The API keys of a linked user over auth's API."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from bongsu.contracts.wire import Wire
from bongsu_bot.apis import LinkedUser

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


async def list_page(user: LinkedUser, after: str | None) -> KeyPage:
    """Return a page of the user's own keys."""
    query = {"limit": str(PAGE)} | ({"after": after} if after is not None else {})
    return await user.call("auth", "GET", "/auth/api-keys", KeyPage, query=query)


async def revoke(user: LinkedUser, key_id: UUID) -> None:
    """Delete one of the user's own keys.

    :raises NotFound: the user has no such key.
    """
    await user.delete("auth", f"/auth/api-keys/{key_id}")
