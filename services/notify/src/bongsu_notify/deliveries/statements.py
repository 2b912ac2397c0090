"""The statements of claims and marks, built once: building one for a batch takes longer than the database does."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CursorResult,
    Executable,
    Result,
    Table,
    Update,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import undefer

from bongsu.contracts.notifications import Status
from bongsu.mixins import Q, UUIDKey, utc_now
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.statuses import CLAIMABLE
from bongsu_notify.suppressions.service import is_suppressed

_KEY: Final = UUIDKey()
_UNSYNCHRONISED: Final = {"synchronize_session": False}
"""No row of the statement is loaded in its session."""
_NOW: Final = utc_now()
_IDS: Final = bindparam("ids", expanding=True, type_=_KEY)
_OWNERS: Final = bindparam("owners", expanding=True, type_=_KEY)


ENDED: Final = ("status", "attempt", "error_code", "error_detail")
"""The columns that `end` sets to the same value for all its rows."""
_WIDEST: Final = 128


class Peek(NamedTuple):
    """What has to be known of a notification before it is claimed.

    :param size: of its content: bytes, or characters on SQLite.
    """

    channel: str
    mode: str
    recipient: str
    guarantee: str
    size: int


class Event(NamedTuple):
    """A new entry of a timeline."""

    id: UUID
    notification_id: UUID
    status: Status
    attempt: int
    detail: str | None = None


def _is_due() -> ColumnElement[bool]:
    """The condition that a notification waits and its time has come, or that it may be sent a second time."""
    now = utc_now()
    waiting = Q(status__in=sorted(CLAIMABLE)) & (Q(next_attempt_at=None) | Q(next_attempt_at__le=now))
    left = Q(status="sending", lease_until__lt=now) | Q(status="unknown", next_attempt_at__le=now)
    left &= Q(provider_message_id=None)  # else an event of the provider has reported that it was sent
    return _condition(waiting | (left & Q(guarantee="at-least-once")))


def _condition(*conditions: Any) -> ColumnElement[bool]:  # noqa: ANN401 - whatever `filter_by` takes
    condition = Notification.filter_by(*conditions).statement.whereclause
    assert condition is not None  # noqa: S101 - there is one
    return condition


@cache
def _claim(lease_s: float, max_attempts: int) -> Update:
    is_own = Notification.lease_owner.in_(_OWNERS)
    has_attempts = Notification.attempt - Notification.attempts_before < max_attempts
    return (
        update(Notification)
        .where(
            Notification.id.in_(_IDS),
            _condition(Q(expires_at=None) | Q(expires_at__gt=utc_now()), ~is_suppressed()),
            or_(_is_due() & has_attempts, (Notification.status == "sending") & is_own),
        )
        .values(
            status="sending",
            # MySQL assigns in the order of the columns: the owner is still the one before, and the status is not.
            attempt=case((is_own, Notification.attempt), else_=Notification.attempt + 1),
            lease_owner=bindparam("owner", type_=_KEY),
            lease_until=utc_now(lease_s),
            next_attempt_at=None,
            provider_message_id=None,
            updated_at=_NOW,
        )
    )


_CLAIMED: Final = (
    select(Notification)
    .where(Notification.id.in_(_IDS), Notification.lease_owner == bindparam("owner", type_=_KEY))
    # The mixins load no deferred columns: a second statement would read the same rows again.
    .options(undefer(Notification.content), undefer(Notification.sealed_variables))
)
_PEEKED: Final = select(
    Notification.id,
    Notification.channel,
    Notification.mode,
    Notification.recipient,
    Notification.guarantee,
    func.coalesce(func.length(Notification.content), 0),
).where(Notification.id.in_(_IDS))
_NEW_EVENTS: Final = insert(cast("Table", NotificationEvent.__table__))


@cache
def _end(width: int, *, has_message_ids: bool) -> Update:
    keys = [bindparam(f"id{number}", type_=_KEY) for number in range(width)]
    values: dict[str, object] = {name: bindparam(name) for name in ENDED}
    if has_message_ids:
        message_ids: list[BindParameter[str]] = [bindparam(f"message_id{number}") for number in range(width)]
        values["provider_message_id"] = case(dict(zip(keys, message_ids, strict=True)), value=Notification.id)
    held = (Notification.status == "sending") & Notification.lease_owner.in_(_OWNERS)
    return (
        update(Notification)
        .where(Notification.id.in_(keys), held)
        .values(
            **values,
            sealed_variables=None,
            lease_owner=None,
            lease_until=None,
            next_attempt_at=None,
            updated_at=_NOW,
        )
    )


async def peek(ids: Sequence[UUID]) -> Mapping[UUID, Peek]:
    """Read what decides how each notification is sent, in a unit of work of its own."""
    async with Notification.database().unit():
        found = await _execute(_PEEKED, {"ids": ids})
        return {row[0]: Peek._make(row[1:]) for row in found}


async def claim(
    ids: Sequence[UUID], owner: UUID, earlier: Collection[UUID], *, lease_s: float, max_attempts: int
) -> Sequence[Notification]:
    """Claim those that are due, or claimed by `owner` or an `earlier` owner. Returns the rows with their contents."""
    parameters = {"ids": ids, "owner": owner, "owners": [owner, *earlier]}
    if not await _count(_claim(lease_s, max_attempts), parameters):
        return []
    return (await _execute(_CLAIMED, {"ids": ids, "owner": owner})).scalars().all()


async def end(rows: Sequence[tuple[UUID, str | None]], owners: Collection[UUID], values: Mapping[str, object]) -> int:
    """End claims whose owners still hold them. Returns how many.

    :param rows: with the provider's message ID each; of none or of all.
    :param values: of the columns in `ENDED`.
    """
    ended = 0
    for start in range(0, len(rows), _WIDEST):
        some = rows[start : start + _WIDEST]
        # A few widths have few statements to build. The last row fills the rest: a condition that holds already.
        width = 1 << (len(some) - 1).bit_length()
        filled = [*some, *[some[-1]] * (width - len(some))]
        parameters = {"owners": [*owners], **values} | {f"id{at}": key for at, (key, _) in enumerate(filled)}
        has_message_ids = some[0][1] is not None
        if has_message_ids:
            parameters |= {f"message_id{at}": message_id for at, (_, message_id) in enumerate(filled)}
        ended += await _count(_end(width, has_message_ids=has_message_ids), parameters)
    return ended


async def add_events(events: Sequence[Event], at: datetime) -> None:
    """Add entries to timelines.

    :param at: the database's time. As a value: of a statement with an expression, aiomysql sends a copy for each row.
    """
    if events:
        times = {"created_at": at, "updated_at": at}
        await _execute(_NEW_EVENTS, [{**event._asdict(), **times} for event in events])


async def _count(statement: Update, parameters: Mapping[str, object]) -> int:
    return cast("CursorResult[Any]", await _execute(statement, parameters)).rowcount


async def _execute(
    statement: Executable, parameters: Mapping[str, object] | Sequence[Mapping[str, object]]
) -> Result[Any]:
    unit = Notification.database().ambient()
    assert unit is not None  # noqa: S101 - every function runs in a unit of work
    # SQL of its own, as the mixins build a statement for each call.
    return await unit.session.execute(statement, parameters, execution_options=_UNSYNCHRONISED)
