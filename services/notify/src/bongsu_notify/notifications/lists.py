"""Lists and counts of notifications. Each reads a bounded number of rows, however many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, get_args
from uuid import UUID

from bongsu.contracts.notifications import UNFINISHED, Status
from bongsu.identity.emails import normalise_email
from bongsu.mixins import Q, Query, python_now
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.principal import Principal

STATUSES: Final[tuple[Status, ...]] = get_args(Status)

INDEXED: Final[tuple[str, ...]] = ("recipient", "topic", "status", "channel")


@dataclass(frozen=True, slots=True)
class Period:
    """When notifications were accepted: at or after `since` and before `until`."""

    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, after: UUID | None = None) -> dict[str, object]:
        """Conditions on the key, which begins with the time, so that the period is part of the range of an index.

        :param after: the end of the previous page, which is newer.
        """
        upper = [bound for bound in (after, self.until and first_id(self.until)) if bound is not None]
        lower = {"id__ge": first_id(self.since)} if self.since is not None else {}
        return {**lower, **({"id__lt": min(upper)} if upper else {})}


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list; None does not filter.

    :param statuses: any of them; none for all.
    :param scheduled: whether the send time is ahead.
    :param search: a part of the subject or recipient, an address or an id.
    :param ids: any of them; none for all.
    :param conditions: further ones, which no index has.
    """

    statuses: Sequence[Status] = ()
    channel: str | None = None
    topic: str | None = None
    recipient: str | None = None
    scheduled: bool | None = None
    search: str | None = None
    period: Period = field(default_factory=Period)
    ids: Sequence[UUID] = ()
    conditions: Sequence[Q] = ()


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """How many notifications have each status, up to a limit for each.

    :param scheduled: of `accepted`, those whose send time is ahead.
    :param oldest_waiting: when the oldest one that waits to be sent was accepted or due.
    """

    counts: Mapping[Status, int]
    scheduled: int
    oldest_waiting: datetime | None


class NotificationLists:
    """The lists and counts of what a principal may see.

    :param window: the rows that one page of a search reads at most, for each status.
    :param count_limit: a count above it is not exact.
    """

    def __init__(self, *, window: int = 5000, count_limit: int = 1000) -> None:
        self._window = window
        self.count_limit = count_limit

    async def list_page(
        self, principal: Principal, filters: Filters, *, limit: int, after: UUID | None
    ) -> tuple[Sequence[Notification], UUID | None]:
        """A page, newest first, and the id to continue after (None at the end).

        A page of a search may have fewer rows than `limit` before the end.
        """
        wanted: dict[str, object] = {"channel": filters.channel, "topic": filters.topic, "recipient": filters.recipient}
        matching, is_scan = await self._searched(principal, filters)
        found: list[Notification] = []
        floor: UUID | None = None
        for status in dict.fromkeys(filters.statuses) or (None,):
            rows = self._rows(principal, {**wanted, "status": status}, filters.period, after=after)
            if is_scan and (last := await rows.offset(self._window - 1).limit(1).pluck("id")):
                floor = max(floor or last[0], last[0])
                rows = rows.filter_by(id__ge=last[0])
            found += await rows.filter_by(*matching).limit(limit + 1).all()
        found = sorted((row for row in found if floor is None or row.id >= floor), key=lambda row: row.id, reverse=True)
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else floor

    async def _searched(self, principal: Principal, filters: Filters) -> tuple[list[Q], bool]:
        """The conditions that no index has, and whether they need a scan."""
        matching: list[Q] = [*filters.conditions]
        now = python_now()
        if filters.ids:
            return [*matching, Q(id__in=sorted(filters.ids))], False
        if filters.scheduled is not None:
            matching.append(Q(send_at__gt=now) if filters.scheduled else Q(send_at=None) | Q(send_at__le=now))
        if filters.search is None:
            return matching, bool(matching)
        if (found_id := _id_of(filters.search)) is not None:
            return [*matching, Q(id=found_id)], False
        if (address := _address_of(filters.search)) is not None:
            known = self._rows(principal, {"recipient": address}, filters.period)
            if await known.exists():
                return [*matching, Q(recipient=address)], False
        text = Q(subject__icontains=filters.search)
        # The column is ASCII, and comparing it with other text is an error.
        return [*matching, text | Q(recipient__icontains=filters.search) if filters.search.isascii() else text], True

    async def count_statuses(self, principal: Principal, period: Period) -> StatusCounts:
        """Count each status, up to `count_limit`."""
        counts: dict[Status, int] = {}
        oldest: list[datetime] = []
        now, scheduled = python_now(), 0
        for status in STATUSES:
            rows = self._rows(principal, {"status": status}, period, newest_first=False).limit(self.count_limit)
            if status in UNFINISHED:
                found = await rows.values_list("send_at", "created_at")
                due = [send_at or created_at for send_at, created_at in found if send_at is None or send_at <= now]
                counts[status] = len(found)
                scheduled += len(found) - len(due)
                oldest += due
            else:
                counts[status] = await rows.count()
        return StatusCounts(counts, scheduled, min(oldest, default=None))

    def _rows(
        self,
        principal: Principal,
        values: Mapping[str, object],
        period: Period,
        *,
        after: UUID | None = None,
        newest_first: bool = True,
    ) -> Query[Notification]:
        """What the principal may see, in the order of an index that the conditions are a range of."""
        wanted = {name: value for name, value in values.items() if value is not None}
        # An index begins with the user, where there is one, and the most selective filter: its columns, then the id.
        index = [name for name in INDEXED if name in wanted][:1]
        if not principal.sees_all:
            wanted["user_id"] = principal.user_id
            index.insert(0, "user_id")
        sign = "-" if newest_first else ""
        rows = Notification.filter_by(**in_range(wanted), **period.conditions(after))
        return rows.order_by(*(f"{sign}{name}" for name in (*index, "id")))


def in_range(values: Mapping[str, object]) -> dict[str, object]:
    """Conditions that columns have these values, so that a condition on `id` is part of the range that is read.

    For an equality MariaDB prefers `ref` access to that range: it reads every row with these values, and filters.
    """
    if Notification.database().engine.dialect.name == "sqlite":
        return {**values}
    return {f"{name}__{test}": value for name, value in values.items() for test in ("ge", "le")}


def first_id(at: datetime) -> UUID:
    """The lowest UUIDv7 of a moment."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def _id_of(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _address_of(text: str) -> str | None:
    try:
        return normalise_email(text.strip())
    except ValueError:
        return None
