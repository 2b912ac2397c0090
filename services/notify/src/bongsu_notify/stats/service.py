"""The rules of statistics."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from bongsu.contracts.stats import Bucket
from bongsu.runtime.errors import FieldError, Invalid
from bongsu_notify.notifications.models import Notification
from bongsu_notify.stats.schemas import LENGTHS, MAX_BUCKETS, StatsQuery


async def count(query: StatsQuery, user_id: UUID | None) -> list[Bucket]:
    """Count a user's notifications (None: every user's) in each bucket of the period.

    :raises Invalid: the period is empty, or has too many buckets.
    """
    return [await _count(start, end, user_id) for start, end in _periods(query)]


def _periods(query: StatsQuery) -> Iterator[tuple[datetime, datetime]]:
    length, end = LENGTHS[query.bucket], query.end
    try:
        start = query.from_ or end - timedelta(days=1)
    except OverflowError:
        raise _invalid("to", "must be later than the year 1") from None
    if start >= end:
        raise _invalid("from", "must be earlier than `to`")
    if (end - start) / length > MAX_BUCKETS:
        raise _invalid("from", f"must be at most {MAX_BUCKETS} buckets before `to`; use larger buckets")
    while start < end:
        following = min(start + length, end) if end - start > length else end
        yield start, following
        start = following


async def _count(start: datetime, end: datetime, user_id: UUID | None) -> Bucket:
    # Keys are in order of time: the period is a range of an index.
    rows = Notification.filter_by(id__ge=_first_key(start), id__lt=_first_key(end))
    if user_id is not None:
        rows = rows.filter_by(user_id=user_id)
    statuses = await rows.count_by("status")
    return Bucket(start=start, end=end, total=sum(statuses.values()), statuses=statuses)


def _first_key(at: datetime) -> UUID:
    """The lowest UUIDv7 of a moment."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def _invalid(field: str, rule: str) -> Invalid:
    return Invalid(f"Invalid input: {field}", errors=[FieldError(("query", field), rule)])
