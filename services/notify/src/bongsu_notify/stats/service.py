"""The rules of statistics."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Integer, Select, bindparam, case, func, literal_column

from bongsu.contracts.notifications import Status
from bongsu.contracts.stats import Bucket
from bongsu.mixins import read
from bongsu.runtime.errors import FieldError, Invalid
from bongsu_notify.notifications.lists import first_id, in_range
from bongsu_notify.notifications.models import Notification
from bongsu_notify.stats.schemas import LENGTHS, MAX_BUCKETS, StatsQuery


async def count(query: StatsQuery, user_id: UUID | None) -> list[Bucket]:
    """Count a user's notifications (None: every user's) in each bucket of the period.

    :raises Invalid: the period is empty, or has too many buckets.
    """
    periods = list(_periods(query))
    parameters = {f"start_{at}": first_id(start) for at, (start, _) in enumerate(periods)}
    parameters["end"] = first_id(periods[-1][1])
    if user_id is not None:
        parameters["user_id"] = user_id
    dialect = Notification.database().dialect_name
    statement = _counting(len(periods), is_own=user_id is not None, dialect=dialect)
    counts: list[dict[Status, int]] = [{} for _ in periods]
    # SQL of its own, as the mixins group by fields only.
    found = await read(Notification, None, lambda session: session.execute(statement, parameters).all())
    for status, bucket, total in found:
        counts[bucket][status] = total
    return [
        Bucket(start=start, end=end, total=sum(statuses.values()), statuses=statuses)
        for (start, end), statuses in zip(periods, counts, strict=True)
    ]


@lru_cache(maxsize=2 * MAX_BUCKETS)
def _counting(buckets: int, *, is_own: bool, dialect: str) -> Select[Status, int, int]:
    """The statement that counts by status and bucket, which takes longer to build than to run on a short period.

    Keys are in order of time: the period is a range of an index, which is read once for all buckets.
    """
    newest_first = reversed(range(buckets))
    bucket = case(
        *((Notification.id >= bindparam(f"start_{at}"), literal_column(str(at), Integer)) for at in newest_first)
    ).label("bucket")
    wanted = in_range({"user_id": bindparam("user_id")} if is_own else {}, dialect)
    period: dict[str, object] = {"id__ge": bindparam("start_0"), "id__lt": bindparam("end")}
    rows = Notification.filter_by(**wanted, **period).statement
    return rows.with_only_columns(Notification.status, bucket, func.count()).group_by(Notification.status, "bucket")


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


def _invalid(field: str, rule: str) -> Invalid:
    return Invalid(f"Invalid input: {field}", errors=[FieldError(("query", field), rule)])
