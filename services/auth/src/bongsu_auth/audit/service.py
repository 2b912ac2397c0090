"""Reading the audit log."""

from collections.abc import Sequence
from uuid import UUID

from bongsu.identity.models import AuditEntry
from bongsu.mixins import Q


async def listed(user_id: UUID | None, *, limit: int, after: UUID | None) -> tuple[Sequence[AuditEntry], UUID | None]:
    """A page of what a user did or what was done to them (of everybody's, for None), newest first, and what follows."""
    query = AuditEntry.query()
    if user_id is not None:
        query = query.filter_by(Q(actor_id=user_id) | Q(subject_id=user_id))
    if after is not None:
        query = query.filter_by(id__lt=after)
    found = await query.order_by("-id").limit(limit + 1).all()
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None
