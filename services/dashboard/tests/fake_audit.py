"""A fake of auth's audit log."""

from dataclasses import dataclass, field
from uuid import UUID

from bongsu_dashboard.audit.port import Entry, EntryPage, EntryQuery
from bongsu_dashboard.browser import Browser
from services.dashboard.tests.fakes import an_event


def an_entry(action: str, *, minutes: int = 3, **facts: object) -> Entry:
    return Entry.model_validate(an_event(action, minutes=minutes).model_dump() | facts)


@dataclass
class FakeAudit:
    """`items` are the entries, newest first; `queries` are those that were asked."""

    items: list[Entry] = field(default_factory=list)
    size: int = 40
    queries: list[EntryQuery] = field(default_factory=list)

    async def list_entries(self, browser: Browser, query: EntryQuery, *, after: UUID | None, limit: int) -> EntryPage:
        del browser
        self.queries.append(query)
        at = next((number + 1 for number, entry in enumerate(self.items) if entry.id == after), 0)
        size = min(self.size, limit)
        shown = self.items[at : at + size]
        return EntryPage(items=shown, next=str(shown[-1].id) if len(self.items) > at + size else None)
