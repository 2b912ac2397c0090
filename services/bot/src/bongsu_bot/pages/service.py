"""Stored replies with several pages. Every function runs in the caller's unit of work."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from bongsu.mixins import utc_now
from bongsu_bot.errors import PageExpired
from bongsu_bot.pages.models import PagedReply

KEPT_S: Final = 24 * 3600
_SWEPT_ROWS = 200


async def store(discord_user_id: int, command: str, options: Mapping[str, str | None], following: str) -> UUID:
    """Store a reply that shows its first page, and delete some that are old."""
    old = await PagedReply.filter_by(created_at__lt=utc_now(-KEPT_S)).limit(_SWEPT_ROWS).pluck("id")
    if old:
        await PagedReply.filter_by(id__in=old).delete()
    made = await PagedReply.create(
        discord_user_id=discord_user_id, command=command, options=dict(options), cursors=[None], following=following
    )
    return made.id


async def find(reply_id: UUID, discord_user_id: int) -> PagedReply:
    """Find a reply of a user.

    :raises PageExpired: it is old, or another user's.
    """
    rows = PagedReply.filter_by(id=reply_id, discord_user_id=discord_user_id, created_at__ge=utc_now(-KEPT_S))
    found = await rows.first()
    if found is None:
        raise PageExpired
    return found


async def turn(reply_id: UUID, cursors: Sequence[str | None], following: str | None) -> None:
    """Store the page that a reply shows now."""
    await PagedReply.filter_by(id=reply_id).update(cursors=[*cursors], following=following)
