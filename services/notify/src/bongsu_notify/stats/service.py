"""The rules of statistics."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, func

from bongsu.contracts.stats import Bucket
from bongsu.runtime.errors import FieldError, Invalid
from bongsu_notify.notifications.lists import first_id, in_range
from bongsu_notify.notifications.models import Notification
from bongsu_notify.stats.schemas import LENGTHS, MAX_BUCKETS, StatsQuery


async def count(query: StatsQuery, user_id: UUID | None) -> list[Bucket]:
    """Count a user's notifications (None: every user's) in each bucket of the period.

    :raises Invalid: the period is empty, or has too many buckets.
    """
    periods = list(_periods(query))
    # Keys are in order of time: the period is a range of an index, which is read once for all buckets.
    rows = Notification.filter_by(id__ge=first_id(periods[0][0]), id__lt=first_id(periods[-1][1]))
    if user_id is not None:
        rows = rows.filter_by(**in_range({"user_id": user_id}))
    ranges = [(first_id(start), _last_id(end)) for start, end in periods]
    measures = {
        f"bucket_{at}": func.sum(case((Notification.id.between(*bounds), 1), else_=0))
        for at, bounds in enumerate(ranges)
    }
    found = await rows.aggregate_by("status", **measures)
    counts = [{row["status"]: int(row[name]) for row in found if row[name]} for name in measures]
    return [
        Bucket(start=start, end=end, total=sum(statuses.values()), statuses=statuses)
        for (start, end), statuses in zip(periods, counts, strict=True)
    ]


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


def _last_id(end: datetime) -> UUID:
    """The highest UUIDv7 before a moment."""
    return UUID(int=max(0, first_id(end).int - 1))


def _invalid(field: str, rule: str) -> Invalid:
    return Invalid(f"Invalid input: {field}", errors=[FieldError(("query", field), rule)])
