"""Removing what has expired, a little at a time."""

from bongsu.identity.models import AuthModel

CHUNK = 2000


async def sweep(model: type[AuthModel], **expired: object) -> int:
    """Removes the rows for which the conditions hold; how many. Call it outside of a unit of work.

    Each chunk is a transaction of its own: one DELETE of a million rows would hold up whoever writes to the table,
    and undo all of it when it is interrupted.
    """
    removed = 0
    while True:
        ids = await model.filter_by(**expired).limit(CHUNK).pluck("id")
        if ids:
            # The conditions once more: a row may have been renewed since.
            removed += await model.filter_by(id__in=ids, **expired).delete()
        if len(ids) < CHUNK:
            return removed
