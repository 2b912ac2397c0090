"""Reading the audit log."""

from collections.abc import Sequence
from uuid import UUID

from bongsu.identity.models import AuditEntry
from bongsu.mixins import Q, Query


async def list_entries(
    user_id: UUID | None, *, limit: int, after: UUID | None
) -> tuple[Sequence[AuditEntry], UUID | None]:
    """Return a page of a user's entries (None: every user's), newest first, and the ID to continue after."""
    query = AuditEntry.query()
    if user_id is not None:
        query = query.filter_by(Q(actor_id=user_id) | Q(subject_id=user_id))
    return await _page(query, limit, after)


async def list_entries_about(
    user_id: UUID, *, limit: int, after: UUID | None
) -> tuple[Sequence[AuditEntry], UUID | None]:
    """As `list_entries`, of what concerns a user's own account. One index serves every page."""
    return await _page(AuditEntry.filter_by(subject_id=user_id), limit, after)


async def _page(query: Query[AuditEntry], limit: int, after: UUID | None) -> tuple[Sequence[AuditEntry], UUID | None]:
    if after is not None:
        query = query.filter_by(id__lt=after)
    found = await query.order_by("-id").limit(limit + 1).all()
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None
