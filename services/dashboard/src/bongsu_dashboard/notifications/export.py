"""The list as CSV."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Final

from bongsu_dashboard.notifications.notification import Notification, Page
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
BOM: Final = "\ufeff"
"""By which Excel recognises UTF-8."""


async def write_csv(first: Page, others: AsyncIterator[Page]) -> AsyncIterator[str]:
    """Write pages of notifications as CSV (RFC 4180), with a header, newest first."""
    yield BOM + _lines([COLUMNS, *map(_row, first.items)])
    async for page in others:
        yield _lines([_row(item) for item in page.items])


def _row(item: Notification) -> tuple[str, ...]:
    return tuple(
        _as_text(str(value) if value is not None else "")
        for value in (
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
    )


def _as_text(value: str) -> str:
    """Quote what a spreadsheet would run as a formula (OWASP, CSV injection)."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
