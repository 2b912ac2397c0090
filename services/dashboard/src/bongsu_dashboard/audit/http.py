"""The port over HTTP."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from bongsu_dashboard.audit.port import EntryPage, EntryQuery
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.upstream import Upstream


class HttpAuditClient:
    """Implements `AuditClient`; see there."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def list_entries(self, browser: Browser, query: EntryQuery, *, after: UUID | None, limit: int) -> EntryPage:
        values = asdict(query) | {"limit": limit, "after": after}
        given = {name: _write(value) for name, value in values.items() if value is not None}
        return (await self._auth.call(browser, "GET", "/auth/audit", query=given)).parse(EntryPage)


def _write(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
