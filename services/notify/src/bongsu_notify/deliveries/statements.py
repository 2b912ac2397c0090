"""The statements of claims and marks, built once: building one for a batch takes longer than the database does."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Executable,
    Result,
    Update,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
    update,
)

from bongsu.contracts.notifications import Status
from bongsu.mixins import Q, UUIDKey, utc_now, write_keys, written
from bongsu_notify.channels.channel import Content
from bongsu_notify.notifications.claimed import DOCUMENT, ClaimedNotification
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.statuses import CLAIMABLE
from bongsu_notify.suppressions.service import is_suppressed

_KEY: Final = UUIDKey()
_UNSYNCHRONISED: Final = {"synchronize_session": False}
"""No row of the statement is loaded in its session."""
_NOW: Final = utc_now()
_HAS_ID: Final = Notification.id.op("IN")(written("ids", write_keys))
_OWNERS: Final = bindparam("owners", expanding=True, type_=_KEY)


ENDED: Final = ("status", "attempt", "error_code", "error_detail")
"""The columns that `end` sets to the same value for all its rows."""


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
            _HAS_ID,
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


_CLAIMED: Final = select(DOCUMENT, Notification.content, Notification.sealed_variables).where(
    _HAS_ID, Notification.lease_owner == bindparam("owner", type_=_KEY)
)
_UNLOCKED: Final = select(Notification.id).where(_HAS_ID).with_for_update(skip_locked=True)
_PEEKED: Final = select(
    func.json_array(
        func.hex(Notification.id),
        Notification.channel,
        Notification.mode,
        Notification.recipient,
        Notification.guarantee,
        func.coalesce(func.length(Notification.content), 0),
    )
).where(_HAS_ID)


def _write_events(rows: tuple[Sequence[Event], datetime]) -> str:
    events, at = rows
    times = f"'{at:%Y-%m-%d %H:%M:%S.%f}','{at:%Y-%m-%d %H:%M:%S.%f}'"
    return ",".join(
        [
            f"(x'{one.id.hex}',x'{one.notification_id.hex}',{_write_text(one.status)},{one.attempt:d},"
            f"{_write_text(one.detail)},{times})"
            for one in events
        ]
    )


def _write_message_ids(rows: Sequence[tuple[UUID, str]]) -> str:
    cases = [f"WHEN x'{key.hex}' THEN {_write_text(message_id)}" for key, message_id in rows]
    return f"CASE id {' '.join(cases)} END"


def _write_text(value: str | None) -> str:
    return "NULL" if value is None else f"CAST(x'{value.encode().hex()}' AS CHAR)"


# SQL of its own: as parameters, a hundred rows take longer than the statement.
_NEW_EVENTS: Final = text(
    "INSERT INTO notification_events (id, notification_id, status, attempt, detail, created_at, updated_at) "
    "VALUES :rows"
).bindparams(written("rows", _write_events))


@cache
def _end(*, has_message_ids: bool) -> Update:
    values: dict[str, object] = {name: bindparam(f"new_{name}") for name in ENDED}
    if has_message_ids:
        values["provider_message_id"] = written("message_ids", _write_message_ids)
    return (
        update(Notification)
        .where(_HAS_ID, (Notification.status == "sending") & Notification.lease_owner.in_(_OWNERS))
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
        found = (await _execute(_PEEKED, {"ids": ids})).scalars()
        return {UUID(key): Peek._make(values) for key, *values in map(json.loads, found)}


async def lock(ids: Sequence[UUID]) -> set[UUID]:
    """Lock rows, and return those that other transactions have locked. SQLite has no locks of rows."""
    missing = {*ids} - {*(await _execute(_UNLOCKED, {"ids": ids})).scalars()}
    # Those that were deleted are missing too.
    return {*await Notification.filter_by(id__in=sorted(missing)).pluck("id")} if missing else missing


async def claim(
    ids: Sequence[UUID], owner: UUID, earlier: Collection[UUID], *, lease_s: float, max_attempts: int
) -> Sequence[tuple[ClaimedNotification, Content]]:
    """Claim those that are due, or claimed by `owner` or an `earlier` owner."""
    parameters = {"ids": ids, "owner": owner, "owners": [owner, *earlier]}
    if not await _count(_claim(lease_s, max_attempts), parameters):
        return []
    rows: Sequence[Any] = (await _execute(_CLAIMED, {"ids": ids, "owner": owner})).all()
    return [(ClaimedNotification.read(row[0], owner), Content(row[1] or {}, row[2])) for row in rows]


async def end(rows: Sequence[tuple[UUID, str | None]], owners: Collection[UUID], values: Mapping[str, object]) -> int:
    """End claims whose owners still hold them. Returns how many.

    :param rows: with the provider's message ID each; of none or of all.
    :param values: of the columns in `ENDED`.
    """
    has_message_ids = rows[0][1] is not None
    parameters: dict[str, object] = {"ids": [key for key, _ in rows], "owners": [*owners]}
    parameters |= {f"new_{name}": values[name] for name in ENDED}
    if has_message_ids:
        parameters["message_ids"] = rows
    return await _count(_end(has_message_ids=has_message_ids), parameters)


async def add_events(events: Sequence[Event], at: datetime) -> None:
    """Add entries to timelines.

    :param at: the database's time.
    """
    if events:
        await _execute(_NEW_EVENTS, {"rows": (events, at)})


async def _count(statement: Update, parameters: Mapping[str, object]) -> int:
    return cast("CursorResult[Any]", await _execute(statement, parameters)).rowcount


async def _execute(
    statement: Executable, parameters: Mapping[str, object] | Sequence[Mapping[str, object]]
) -> Result[Any]:
    unit = Notification.database().ambient()
    assert unit is not None  # noqa: S101 - every function runs in a unit of work
    # SQL of its own, as the mixins build a statement for each call.
    return await unit.session.execute(statement, parameters, execution_options=_UNSYNCHRONISED)
