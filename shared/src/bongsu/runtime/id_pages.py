"""Pages of rows by ID, as the APIs and the bot's RPC methods list them."""

from typing import Any, TypeVar

from bongsu.mixins import CRUDMixin, Query

M = TypeVar("M", bound=CRUDMixin)
K = TypeVar("K")


async def page_by_id(
    rows: Query[M], *, limit: int, after: K | None, newest_first: bool = True
) -> tuple[list[M], K | None]:
    """Return up to `limit` rows, and the ID to continue after (None at the end).

    :param after: the ID that the page before ended with; None for the first page.
    :param newest_first: by descending ID: a UUIDv7 tells when a row was made.
    """
    if after is not None:
        rows = rows.filter_by(**{"id__lt" if newest_first else "id__gt": after})
    found = await rows.order_by("-id" if newest_first else "id").limit(limit + 1).all()
    page: list[Any] = found[:limit]
    return page, page[-1].id if len(found) > limit else None
