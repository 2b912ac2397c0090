"""The rules of delivery: who may send a notification now, and what an outcome makes of it.

A delivery is claimed by compare-and-set under a lease on the database's clock, sent with no transaction open, and
marked by compare-and-set on that claim. Each function needs an open unit of work.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func

from bongsu.mixins import Q, python_now, utc_now, uuid7
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.statuses import FINAL, Status

BACK_OFF_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
UNKNOWN_S = (30.0, 600.0)
"""How long a delivery whose outcome is unknown waits at least, and at most, before it is sent again."""
LONGEST_PUT_OFF_S = 15.0
"""How long a delivery waits at most that was put off without an attempt, where the channel asks for no longer."""
PUT_OFF_PART = 0.25
"""It waits for this part of the time that the notification has waited already: briefly at first, then less often."""
LONGEST_DETAIL = 500
LONGEST_MESSAGE_ID = 128


@dataclass(frozen=True, slots=True)
class Content:
    """What a notification says: its own text, or the variables of its template."""

    text: str | None
    html: str | None
    sealed_variables: str | None


@dataclass(frozen=True, slots=True)
class Claims:
    """What became of a batch of wake-ups: `claimed` to send, `settled` to forget, `later` to wake again (seconds)."""

    claimed: Sequence[Notification]
    contents: Mapping[UUID, Content]
    begun: Mapping[UUID, UUID]
    """The steps of their timelines that say so, by notification."""
    owner: UUID
    settled: frozenset[UUID]
    later: Mapping[UUID, float]


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of a batch of outcomes, by notification: ended, or to be woken again after so many seconds.

    Neither, where the claim was lost: whoever has it now says what becomes of the wake-up.
    """

    settled: frozenset[UUID]
    later: Mapping[UUID, float]


async def sizes(ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """How large the content of each notification is: bytes, or characters on SQLite."""
    size = func.coalesce(func.length(Notification.text), 0) + func.coalesce(func.length(Notification.html), 0)
    rows = await Notification.filter_by(id__in=ids).aggregate_by("id", size=func.sum(size))
    return {row["id"]: int(row["size"]) for row in rows}


async def claim(ids: Sequence[UUID], *, lease_s: float, max_attempts: int, owner: UUID | None = None) -> Claims:
    """Take what may be sent now of the notifications named, and say what is to happen with the rest.

    Due are: what waits and whose time has come; what another worker claimed and left until its lease ended, where the
    guarantee allows a second send; and what `owner` claimed before and cannot have sent yet, as it was not told
    whether that was committed.
    """
    owner = owner or uuid7()
    now = utc_now()
    waits = Q(status__in=["accepted", "queued", "retry_wait"]) & (Q(next_attempt_at=None) | Q(next_attempt_at__le=now))
    left = Q(status="sending", lease_until__lt=now) | Q(status="unknown", next_attempt_at__le=now)
    mine = Q(status="sending", lease_owner=owner)
    due = waits | mine | (left & Q(guarantee="at-least-once"))
    alive = Q(expires_at=None) | Q(expires_at__gt=now)
    taken = await Notification.filter_by(due, alive, id__in=ids, attempt__lt=max_attempts).update(
        status="sending",
        attempt=Notification.attempt + 1,
        lease_owner=owner,
        lease_until=utc_now(lease_s),
        next_attempt_at=None,
        updated_at=utc_now(),
    )
    claimed = await Notification.filter_by(id__in=ids, lease_owner=owner).all() if taken else []
    begun = {one.id: uuid7() for one in claimed}
    await NotificationEvent.bulk_create(
        [
            {"id": begun[one.id], "notification_id": one.id, "status": "sending", "attempt": one.attempt}
            for one in claimed
        ]
    )
    contents = await _contents([one.id for one in claimed])
    rest = set(ids) - {one.id for one in claimed}
    settled, later = await _explain(rest, lease_s=lease_s, max_attempts=max_attempts)
    return Claims(claimed, contents, begun, owner, frozenset(settled), later)


async def _contents(ids: Sequence[UUID]) -> Mapping[UUID, Content]:
    if not ids:
        return {}
    rows = await Notification.filter_by(id__in=ids).values_list("id", "text", "html", "sealed_variables")
    return {key: Content(*parts) for key, *parts in rows}


async def release() -> int:
    """End every lease: for when the workers that held them are known to be gone.

    :returns: how many.
    """
    return await Notification.filter_by(status="sending").update(lease_until=utc_now(-1))


async def _explain(ids: set[UUID], *, lease_s: float, max_attempts: int) -> tuple[set[UUID], dict[UUID, float]]:
    """Why these were not claimed: ended ones are settled, expired ones end here, the others wait."""
    if not ids:
        return set(), {}
    now = utc_now()
    waiting = Q(status__in=["accepted", "queued", "retry_wait", "unknown"]) | Q(status="sending", lease_until__lt=now)
    endings: tuple[tuple[Q, Status, str | None], ...] = (
        (Q(expires_at__le=now) & Q(status__in=["accepted", "queued", "retry_wait"]), "expired", None),
        (Q(guarantee="at-most-once", status__in=["sending", "unknown"]), "failed", "outcome_unknown"),
        (Q(attempt__ge=max_attempts), "failed", "attempts_exhausted"),
        (Q(expires_at__le=now), "failed", "outcome_unknown"),
    )
    for condition, status, code in endings:
        await _end_where(ids, waiting & condition, status, code)
    settled, later = set(), {}
    found = {one.id: one for one in await Notification.filter_by(id__in=sorted(ids)).all()}
    clock: datetime | None = None
    for one in ids:
        row = found.get(one)
        if row is None or row.status in FINAL or row.status == "sent":
            settled.add(one)
        elif row.status == "sending":
            # Another worker is sending it: look again when it must have ended.
            later[one] = lease_s
        else:
            clock = clock or await _database_now(ids)
            later[one] = max(1.0, (row.next_attempt_at - clock).total_seconds()) if row.next_attempt_at else 1.0
    return settled, later


async def _database_now(ids: set[UUID]) -> datetime:
    # Their times are by the database's clock, and this machine's may be minutes off.
    read = await Notification.filter_by(id__in=sorted(ids)).aggregate(count=("count", "id"), now=utc_now())
    now: datetime = read["now"]
    return now


async def _end_where(ids: set[UUID], condition: Q, status: Status, code: str | None) -> None:
    ending = await Notification.filter_by(condition, id__in=sorted(ids)).lock().all()
    if not ending:
        return
    await Notification.filter_by(id__in=[one.id for one in ending]).update(
        status=status,
        error_code=code,
        sealed_variables=None,
        lease_owner=None,
        lease_until=None,
        next_attempt_at=None,
        updated_at=utc_now(),
    )
    await NotificationEvent.bulk_create(
        [{"notification_id": one.id, "status": status, "attempt": one.attempt, "detail": code} for one in ending]
    )


async def mark(claims: Claims, outcomes: Mapping[UUID, Outcome], *, max_attempts: int) -> Marked:
    """Write down what became of each claimed delivery, where the claim still stands.

    A claim that was lost (the lease ended and another worker took it) is left to its new owner.
    """
    held = await (
        Notification.filter_by(id__in=[one.id for one in claims.claimed], lease_owner=claims.owner).lock().all()
    )
    changes = {one.id: _change(one, outcomes[one.id], max_attempts) for one in held}
    if changes:
        await Notification.bulk_update(
            [{"id": key, **change.values} for key, change in changes.items()], lease_owner=claims.owner
        )
        await NotificationEvent.bulk_create([event for change in changes.values() for event in change.events])
        # What was put off as it was before is no news: the timeline would grow for as long as the provider is busy.
        stale = [claims.begun[key] for key, change in changes.items() if not change.events]
        if stale:
            await NotificationEvent.filter_by(id__in=stale).delete()
    settled = {key for key, change in changes.items() if change.wake_after_s is None}
    later = {key: change.wake_after_s for key, change in changes.items() if change.wake_after_s is not None}
    return Marked(frozenset(settled), later)


@dataclass(frozen=True, slots=True)
class _Change:
    values: Mapping[str, object]
    events: Sequence[Mapping[str, object]]
    wake_after_s: float | None


def _change(one: Notification, outcome: Outcome, max_attempts: int) -> _Change:
    """What an outcome makes of a row, and of its timeline: nothing, where it is put off for the same reason again."""
    steps: list[tuple[Status, str | None]]
    code: str | None = None
    detail: str | None = None
    message_id: str | None = None
    attempt = one.attempt
    wake_after_s: float | None = None
    match outcome:
        case Sent(message_id, status, note):
            steps = [("sent", note)] if status == "sent" else [("sent", None), (status, note)]
        case Refused(code, detail):
            steps = [("failed", f"{code}: {detail}")]
        case OutcomeUnknown(detail) if one.guarantee == "at-most-once":
            code, steps = "outcome_unknown", [("failed", f"outcome_unknown: {detail}")]
        case OutcomeUnknown(detail):
            code, steps, wake_after_s = "outcome_unknown", [("unknown", detail)], _after_unknown(attempt)
        case TryLater(code, detail, _, spends) if spends and attempt >= max_attempts:
            steps = [("failed", f"attempts_exhausted: {code}")]
        case TryLater(code, detail, delay_s, spends):
            steps = [("retry_wait", f"{code}: {detail}")]
            wake_after_s = delay_s if delay_s is not None else _back_off(attempt)
            if not spends:
                attempt -= 1
                wake_after_s = max(wake_after_s, _put_off(one))
            wake_after_s = _jittered(wake_after_s)
    last = steps[-1][0]
    is_news = attempt == one.attempt or code != one.error_code
    # Secrets are kept no longer than they can be needed.
    secrets: dict[str, object] = {"sealed_variables": None} if wake_after_s is None else {}
    return _Change(
        values={
            **secrets,
            "status": last,
            "attempt": attempt,
            "provider_message_id": _key(message_id) if message_id else None,
            "error_code": code,
            "error_detail": _words(detail) if detail else None,
            "next_attempt_at": None if wake_after_s is None else utc_now(wake_after_s),
            "lease_owner": None,
            "lease_until": None,
        },
        events=[
            {
                "notification_id": one.id,
                "status": status,
                "attempt": one.attempt,
                "detail": _words(note) if note else None,
            }
            for status, note in steps
            if is_news
        ],
        wake_after_s=wake_after_s,
    )


def _key(text: str) -> str:
    """A provider's id as its column holds it: printable ASCII. Providers may say anything, and it was sent."""
    return re.sub(r"[^\x21-\x7e]", "?", text)[:LONGEST_MESSAGE_ID]


def _words(text: str) -> str:
    """A provider's words as their column holds them: without what UTF-8 cannot carry, and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:LONGEST_DETAIL]


def _back_off(attempt: int) -> float:
    return BACK_OFF_S[min(attempt, len(BACK_OFF_S)) - 1]


def _put_off(one: Notification) -> float:
    waited_s = (python_now() - max(one.created_at, one.send_at or one.created_at)).total_seconds()
    return min(waited_s * PUT_OFF_PART, LONGEST_PUT_OFF_S)


def _after_unknown(attempt: int) -> float:
    # Soon at first. Then less and less often: the provider may be taking every copy and only failing to say so.
    shortest_s, longest_s = UNKNOWN_S
    return min(max(_back_off(attempt), shortest_s), longest_s)


def _jittered(seconds: float) -> float:
    """Within a fifth of it, so that what failed together does not come back together."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
