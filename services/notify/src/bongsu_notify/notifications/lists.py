"""Lists and counts of notifications. Each reads a bounded number of rows, however many there are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVarTuple, get_args
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, bindparam, case, func, literal, null, select, union_all

from bongsu.contracts.notifications import UNFINISHED, Status
from bongsu.identity.emails import normalise_email
from bongsu.mixins import Q, Query, python_now, read
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.principal import Principal

Ts = TypeVarTuple("Ts")

STATUSES: Final[tuple[Status, ...]] = get_args(Status)

INDEXED: Final[tuple[str, ...]] = ("recipient", "topic", "status", "channel")
_INDEXES: Final = Notification.metadata.tables["notifications"].indexes


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
        self._counting: dict[frozenset[str], CompoundSelect[*tuple[Any, ...]]] = {}

    async def list_page(
        self, principal: Principal, filters: Filters, *, limit: int, after: UUID | None
    ) -> tuple[Sequence[Notification], UUID | None]:
        """A page, newest first, and the id to continue after (None at the end).

        A page of a search may have fewer rows than `limit` before the end.
        """
        filters = await self._by_recipient(principal, filters)
        wanted: dict[str, object] = {"channel": filters.channel, "topic": filters.topic, "recipient": filters.recipient}
        matching, is_scan = _unindexed(filters)
        found: list[Notification] = []
        floor: UUID | None = None
        for status in dict.fromkeys(filters.statuses) or (None,):
            narrowed = {**wanted, "status": status}
            index = _index(_indexed(principal, narrowed))
            rows = self._rows(principal, narrowed, filters.period, after=after)
            if is_scan and (last := await self._end_of_window(rows, index)):
                floor = max(floor or last, last)
                rows = rows.filter_by(id__ge=last)
            found += await _read(rows.filter_by(*matching).limit(limit + 1), index)
        found = sorted((row for row in found if floor is None or row.id >= floor), key=lambda row: row.id, reverse=True)
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else floor

    async def _end_of_window(self, rows: Query[Notification], index: str) -> UUID | None:
        """The id of the last of the rows that one page of a search reads; None where there are fewer."""
        last = rows.offset(self._window - 1).limit(1).statement.with_only_columns(Notification.id)
        # SQL of its own, as the mixins have no hints.
        return await read(Notification, None, lambda session: session.scalar(_by_index(last, index)))

    async def _by_recipient(self, principal: Principal, filters: Filters) -> Filters:
        """The filters, with a search for the address of a recipient as the filter that an index has."""
        if filters.search is None or filters.ids or (address := _address_of(filters.search)) is None:
            return filters
        if filters.recipient not in {None, address}:
            return filters
        is_known = await self._rows(principal, {"recipient": address}, filters.period).exists()
        return replace(filters, recipient=address, search=None) if is_known else filters

    async def count_statuses(self, principal: Principal, period: Period) -> StatusCounts:
        """Count each status, up to `count_limit`."""
        conditions = {"user_id": None if principal.sees_all else principal.user_id, **period.conditions()}
        given = {name: value for name, value in conditions.items() if value is not None}
        statement = self._counting.get(frozenset(given))
        if statement is None:
            statement = self._counting[frozenset(given)] = self._count_each(given)
        parameters = {"now": python_now(), **given}
        # SQL of its own, as the mixins have no UNION.
        found = await read(Notification, None, lambda session: session.execute(statement, parameters).all())
        return StatusCounts(
            counts={status: count for status, count, _, _ in found},
            scheduled=sum(scheduled for _, _, scheduled, _ in found),
            oldest_waiting=min((oldest for *_, oldest in found if oldest is not None), default=None),
        )

    def _count_each(self, given: Collection[str]) -> CompoundSelect[*tuple[Any, ...]]:
        """One statement for all statuses, with a parameter for each of the given conditions.

        It takes longer to build than to run, so it is built once.
        """
        return union_all(*(self._count_one(status, given) for status in STATUSES))

    def _count_one(self, status: Status, given: Collection[str]) -> Select[*tuple[Any, ...]]:
        """The status, its count, how many of these are scheduled, and when the oldest of the others was due."""
        dialect = Notification.database().dialect_name
        wanted: dict[str, object] = {"user_id": bindparam("user_id")} if "user_id" in given else {}
        bounds: dict[str, object] = {name: bindparam(name) for name in given if name != "user_id"}
        rows = Notification.filter_by(**in_range({**wanted, "status": status}, dialect), **bounds)
        # From the oldest on: the limit may leave out the newest only.
        limited = rows.order_by(*wanted, "status", "id").limit(self.count_limit).statement
        if status not in UNFINISHED:
            ids = limited.with_only_columns(Notification.id).subquery()
            return select(literal(status), func.count(), literal(0), null()).select_from(ids)
        times = limited.with_only_columns(Notification.send_at, Notification.created_at).subquery()
        is_scheduled = times.c.send_at > bindparam("now", type_=times.c.send_at.type)
        due = case((is_scheduled, null()), else_=func.coalesce(times.c.send_at, times.c.created_at))
        return select(literal(status), func.count(), func.count(case((is_scheduled, 1))), func.min(due)).select_from(
            times
        )

    def _rows(
        self,
        principal: Principal,
        values: Mapping[str, object],
        period: Period,
        *,
        after: UUID | None = None,
    ) -> Query[Notification]:
        """What the principal may see, in the order of an index that the conditions are a range of."""
        wanted = {name: value for name, value in values.items() if value is not None}
        if not principal.sees_all:
            wanted["user_id"] = principal.user_id
        dialect = Notification.database().dialect_name
        rows = Notification.filter_by(**in_range(wanted, dialect), **period.conditions(after))
        return rows.order_by(*(f"-{name}" for name in (*_indexed(principal, values), "id")))


def _unindexed(filters: Filters) -> tuple[list[Q], bool]:
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
    text = Q(subject__icontains=filters.search)
    # The column is ASCII, and comparing it with other text is an error.
    return [*matching, text | Q(recipient__icontains=filters.search) if filters.search.isascii() else text], True


def _index(columns: Sequence[str]) -> str:
    """The name of the index on these columns and the id."""
    return next((str(index.name) for index in _INDEXES if index.columns.keys() == [*columns, "id"]), "PRIMARY")


def _by_index(statement: Select[*Ts], index: str) -> Select[*Ts]:
    """The statement, which MySQL and MariaDB read by this index.

    MySQL would read a range of the primary key where it expects that to cost less: every user's rows of the period, to
    sort them. Where one user has nearly all rows, it would read an index from its end, and so all rows of users behind.
    """
    hint = f"FORCE INDEX ({index})"
    return statement.with_hint(Notification, hint, "mysql").with_hint(Notification, hint, "mariadb")


async def _read(rows: Query[Notification], index: str) -> Sequence[Notification]:
    """Read rows by an index."""
    statement, values = rows.with_parameters()
    # SQL of its own, as the mixins have no hints.
    return await read(Notification, None, lambda session: session.scalars(_by_index(statement, index), values).all())


def _indexed(principal: Principal, values: Mapping[str, object]) -> list[str]:
    """The columns of the index that the list is a range of, before its id: the user and the most selective filter."""
    return [
        *([] if principal.sees_all else ["user_id"]),
        *[name for name in INDEXED if values.get(name) is not None][:1],
    ]


def in_range(values: Mapping[str, object], dialect: str) -> dict[str, object]:
    """Conditions that columns have these values, so that a condition on `id` is part of the range that is read.

    For an equality MariaDB prefers `ref` access to that range: it reads every row with these values, and filters.
    """
    if dialect == "sqlite":
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
