"""Reading the audit log."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from bongsu.identity.models import AuditEntry, User
from bongsu.mixins import Q
from bongsu.runtime.id_pages import page_by_id
from bongsu_auth.audit.schemas import AuditQuery


async def list_entries(
    query: AuditQuery, *, reader_id: UUID | None, subject_id: UUID | None
) -> tuple[Sequence[AuditEntry], UUID | None]:
    """Return a page of entries, newest first, and the ID to continue after.

    :param reader_id: only what this user did or is affected by; None: every user's.
    :param subject_id: the affected user. Each of actor, subject and action alone has an index that serves every page.
    """
    wanted = {"actor_id": query.actor_id, "subject_id": subject_id, "action": query.action}
    found = AuditEntry.query().filter_by(**{name: value for name, value in wanted.items() if value is not None})
    if reader_id is not None:
        found = found.filter_by(Q(actor_id=reader_id) | Q(subject_id=reader_id))
    if query.since is not None:
        found = found.filter_by(id__ge=_first_id(query.since))
    ends = [
        end for end in (query.after, _first_id(query.until) if query.until is not None else None) if end is not None
    ]
    return await page_by_id(found, limit=query.limit, after=min(ends, default=None))


async def find_addresses(entries: Iterable[AuditEntry]) -> Mapping[UUID | None, str]:
    """Return the email addresses, by the user, of actors and subjects that have one."""
    wanted = {user_id for entry in entries for user_id in (entry.actor_id, entry.subject_id) if user_id is not None}
    users = User.filter_by(id__in=sorted(wanted), email_norm__isnull=False)
    return dict(await users.values_list("id", "email_norm")) if wanted else {}


def _first_id(at: datetime) -> UUID:
    """Return the lowest UUIDv7 of a moment."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)
