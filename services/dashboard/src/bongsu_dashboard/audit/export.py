"""The audit log as CSV."""

from collections.abc import AsyncIterator
from typing import Final

from bongsu_dashboard.audit.port import Entry, EntryPage
from bongsu_dashboard.pages.csv_files import BOM, write_lines
from bongsu_dashboard.pages.rendering import machine

COLUMNS: Final = ("id", "at", "action", "actor_id", "actor", "subject_id", "subject", "target", "address", "details")


async def write_csv(first: EntryPage, others: AsyncIterator[EntryPage]) -> AsyncIterator[str]:
    """Write pages of entries as CSV, with a header, newest first."""
    yield BOM + write_lines([COLUMNS, *map(_row, first.items)])
    async for page in others:
        yield write_lines(map(_row, page.items))


def _row(entry: Entry) -> tuple[object, ...]:
    return (
        entry.id,
        machine(entry.at),
        entry.action,
        entry.actor_id,
        entry.actor_email,
        entry.subject_id,
        entry.subject_email,
        entry.target,
        entry.address,
        "; ".join(f"{name}={value}" for name, value in (entry.details or {}).items()),
    )
