"""The audit log over auth's API, with the authority of a linked user."""

from datetime import datetime
from uuid import UUID

from bongsu.contracts.wire import Wire
from bongsu_bot.apis import LinkedUser

PAGE = 8


class Entry(Wire):
    """An action, its actor, and what it concerns."""

    at: datetime
    action: str
    actor_id: UUID | None
    target: str | None


class EntryPage(Wire):
    """A page, newest first, and the cursor of the following one."""

    items: list[Entry]
    next: str | None


async def list_page(user: LinkedUser, after: str | None) -> EntryPage:
    """Return a page of the entries that the user may see: managers see those of every user."""
    query = {"limit": str(PAGE)} | ({"after": after} if after is not None else {})
    return await user.call("auth", "GET", "/auth/audit", EntryPage, query=query)
