"""The list as CSV."""

from collections.abc import AsyncIterator
from typing import Final

from bongsu_dashboard.notifications.notification import Notification, Page
from bongsu_dashboard.pages.csv_files import BOM, write_lines
from bongsu_dashboard.pages.rendering import machine

COLUMNS: Final = (
    "id",
    "accepted_at",
    "status",
    "channel",
    "to",
    "subject",
    "template",
    "topic",
    "mode",
    "attempt",
    "error",
    "error_detail",
    "send_at",
    "updated_at",
)


async def write_csv(first: Page, others: AsyncIterator[Page]) -> AsyncIterator[str]:
    """Write pages of notifications as CSV (RFC 4180), with a header, newest first."""
    yield BOM + write_lines([COLUMNS, *map(_row, first.items)])
    async for page in others:
        yield write_lines(map(_row, page.items))


def _row(item: Notification) -> tuple[object, ...]:
    return (
        item.id,
        machine(item.created_at),
        item.state,
        item.channel,
        item.recipient,
        item.subject,
        item.template,
        item.topic,
        item.mode,
        item.attempt,
        item.error.code if item.error else None,
        item.error.detail if item.error else None,
        machine(item.send_at) if item.send_at else None,
        machine(item.updated_at),
    )
