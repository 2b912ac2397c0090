"""Deletes expired rows in small transactions."""

from bongsu.identity.models import AuthModel

CHUNK_ROWS = 2000


async def sweep(model: type[AuthModel], chunk_rows: int = CHUNK_ROWS, /, **expired: object) -> int:
    """Delete the rows that match the conditions; return how many. Call this outside of a unit of work.

    Each chunk has a transaction of its own: one DELETE of a million rows would block every writer of the table, and
    would start over after an interruption.
    """
    deleted = 0
    while True:
        ids = await model.filter_by(**expired).limit(chunk_rows).pluck("id")
        if ids:
            # With the conditions again: a row may have been renewed since.
            deleted += await model.filter_by(id__in=ids, **expired).delete()
        if len(ids) < chunk_rows:
            return deleted
