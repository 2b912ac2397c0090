"""The audit log at auth."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from bongsu.identity.emails import normalise_email
from bongsu.runtime.background import together
from bongsu_dashboard.audit.filters import Filters
from bongsu_dashboard.audit.port import AuditClient, EntryPage, EntryQuery
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.pages.days import end_of, parse_day, parse_zone, start_of
from bongsu_dashboard.users.port import UserClient

PAGE_SIZE: Final = 40
EXPORT_PAGE_SIZE: Final = 200


class AuditLog:
    """Lists what users did, by the addresses or IDs of users."""

    def __init__(self, client: AuditClient, users: UserClient) -> None:
        self._client = client
        self._users = users

    async def list_entries(
        self, browser: Browser, filters: Filters, *, after: UUID | None, limit: int = PAGE_SIZE
    ) -> EntryPage:
        """List a page of entries; an empty one where no user has an address of the filters."""
        actor_id, subject_id = await together(
            self._find_id(browser, filters.actor), self._find_id(browser, filters.subject)
        )
        if (filters.actor and actor_id is None) or (filters.subject and subject_id is None):
            return EntryPage(items=[], next=None)
        zone = parse_zone(filters.zone)
        query = EntryQuery(
            actor_id=actor_id,
            subject_id=subject_id,
            action=filters.action or None,
            since=start_of(parse_day(filters.since), zone),
            until=end_of(parse_day(filters.until), zone),
        )
        return await self._client.list_entries(browser, query, after=after, limit=limit)

    async def load_pages(self, browser: Browser, filters: Filters) -> AsyncIterator[EntryPage]:
        """Load every page of the log."""
        after: UUID | None = None
        while True:
            page = await self.list_entries(browser, filters, after=after, limit=EXPORT_PAGE_SIZE)
            yield page
            if page.next is None:
                return
            after = UUID(page.next)

    async def _find_id(self, browser: Browser, person: str) -> UUID | None:
        if not person:
            return None
        try:
            return UUID(person)
        except ValueError:
            pass
        try:
            email = normalise_email(person)
        except ValueError:
            return None
        found = await self._users.list_accounts(browser, q=email, after=None)
        return next((account.id for account in found.items if account.email == email), None)
