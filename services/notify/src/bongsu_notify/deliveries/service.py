"""The rules of delivery: who may send a notification now, and how an outcome changes it.

A delivery is claimed by compare-and-set under a lease on the database's clock, sent with no transaction open, and
marked by compare-and-set on that claim. Every function runs in the caller's unit of work.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func

from bongsu.contracts.notifications import FINAL, Status
from bongsu.mixins import Q, python_now, utc_now, uuid7
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.notifications.models import Notification, NotificationEvent

BACKOFF_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
UNKNOWN_BACKOFF_S = (30.0, 600.0)
"""The shortest and longest wait of a delivery whose outcome is unknown before it is sent again."""
BACKOFF_FRACTION = 0.25
"""A deferred delivery waits for this fraction of its notification's age: briefly at first, then longer."""
MAX_DEFERRAL_S = 15.0
"""The longest wait of a deferred delivery, where its provider asks for no longer one."""
DETAIL_LENGTH = 500
MESSAGE_ID_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Claims:
    """The result of claiming a batch: `claimed` to send, `settled` to forget, `later` to wake again (seconds)."""

    claimed: Sequence[Notification]
    contents: Mapping[UUID, Content]
    sending_events: Mapping[UUID, UUID]
    """The timeline entries `sending` of this claim, by notification."""
    owner: UUID
    settled: frozenset[UUID]
    later: Mapping[UUID, float]


@dataclass(frozen=True, slots=True)
class MarkResult:
    """The result of marking a batch, by notification: `settled` ended, `later` is woken again (seconds).

    A notification in neither has lost its claim: the new owner decides on the wake-up.
    """

    settled: frozenset[UUID]
    later: Mapping[UUID, float]


class Deliveries:
    """Claims and marks deliveries.

    :param lease_s: how long a claim holds.
    :param max_attempts: sends tried before a notification fails.
    """

    def __init__(self, *, lease_s: float, max_attempts: int) -> None:
        self.lease_s = lease_s
        self.max_attempts = max_attempts

    async def measure(self, ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """The size of each notification's content: bytes, or characters on SQLite."""
        size = func.coalesce(func.length(Notification.content), 0)
        rows = await Notification.filter_by(id__in=ids).aggregate_by("id", size=func.sum(size))
        return {row["id"]: int(row["size"]) for row in rows}

    async def claim(self, ids: Sequence[UUID], *, owner: UUID | None = None) -> Claims:
        """Claim the notifications that are due, and decide on the wake-ups of the others.

        Due are: waiting ones whose time has come; claims of other workers whose lease ended, where the guarantee
        allows a second send; and earlier claims of `owner`, whose commit was not confirmed and which it cannot have
        sent.
        """
        owner = owner or uuid7()
        now = utc_now()
        waiting = Q(status__in=["accepted", "queued", "retry_wait"]) & (
            Q(next_attempt_at=None) | Q(next_attempt_at__le=now)
        )
        left = Q(status="sending", lease_until__lt=now) | Q(status="unknown", next_attempt_at__le=now)
        own = Q(status="sending", lease_owner=owner)
        due = waiting | own | (left & Q(guarantee="at-least-once"))
        alive = Q(expires_at=None) | Q(expires_at__gt=now)
        count = await Notification.filter_by(due, alive, _attempts() < self.max_attempts, id__in=ids).update(
            status="sending",
            attempt=Notification.attempt + 1,
            lease_owner=owner,
            lease_until=utc_now(self.lease_s),
            next_attempt_at=None,
            updated_at=utc_now(),
        )
        claimed = await Notification.filter_by(id__in=ids, lease_owner=owner).all() if count else []
        events = {row.id: uuid7() for row in claimed}
        await NotificationEvent.bulk_create(
            [
                {"id": events[row.id], "notification_id": row.id, "status": "sending", "attempt": row.attempt}
                for row in claimed
            ]
        )
        contents = await _read_contents([row.id for row in claimed])
        settled, later = await self._resolve_unclaimed(set(ids) - set(events))
        return Claims(claimed, contents, events, owner, frozenset(settled), later)

    async def _resolve_unclaimed(self, ids: set[UUID]) -> tuple[set[UUID], dict[UUID, float]]:
        """End the unclaimed that expired or may not be sent again; return the settled ones and the waits of others."""
        if not ids:
            return set(), {}
        now = utc_now()
        open_ = Q(status__in=["accepted", "queued", "retry_wait", "unknown"]) | Q(status="sending", lease_until__lt=now)
        endings: tuple[tuple[Q, Status, str | None], ...] = (
            (Q(expires_at__le=now) & Q(status__in=["accepted", "queued", "retry_wait"]), "expired", None),
            (Q(guarantee="at-most-once", status__in=["sending", "unknown"]), "failed", "outcome_unknown"),
            (Q(_attempts() >= self.max_attempts), "failed", "attempts_exhausted"),
            (Q(expires_at__le=now), "failed", "outcome_unknown"),
        )
        for condition, status, code in endings:
            await _end_where(ids, open_ & condition, status, code)
        settled, later = set(), {}
        rows = {row.id: row for row in await Notification.filter_by(id__in=sorted(ids)).all()}
        clock: datetime | None = None
        for key in ids:
            row = rows.get(key)
            if row is None or row.status in FINAL or row.status == "sent":
                settled.add(key)
            elif row.status == "sending":
                # Another worker is sending it: look again when its lease has ended.
                later[key] = self.lease_s
            else:
                clock = clock or await _read_database_clock(ids)
                later[key] = max(1.0, (row.next_attempt_at - clock).total_seconds()) if row.next_attempt_at else 1.0
        return settled, later

    async def mark(self, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
        """Record the outcome of each claimed delivery whose claim still stands.

        A lost claim (the lease ended and another worker claimed it) is left to its new owner.
        """
        held = await (
            Notification.filter_by(id__in=[row.id for row in claims.claimed], lease_owner=claims.owner).lock().all()
        )
        changes = {row.id: _change(row, outcomes[row.id], self.max_attempts) for row in held}
        if changes:
            await Notification.bulk_update(
                [{"id": key, **change.values} for key, change in changes.items()], lease_owner=claims.owner
            )
            await NotificationEvent.bulk_create([event for change in changes.values() for event in change.events])
            # A deferral for the same reason as before is no news: the timeline would grow while the provider is busy.
            repeated = [claims.sending_events[key] for key, change in changes.items() if not change.events]
            if repeated:
                await NotificationEvent.filter_by(id__in=repeated).delete()
        settled = {key for key, change in changes.items() if change.wake_after_s is None}
        later = {key: change.wake_after_s for key, change in changes.items() if change.wake_after_s is not None}
        return MarkResult(frozenset(settled), later)


def _attempts() -> ColumnElement[int]:
    """The attempts since the last retry by hand."""
    return Notification.attempt - Notification.attempts_before


async def release() -> int:
    """End every lease, for when the workers that held them are known to be gone. Returns how many."""
    return await Notification.filter_by(status="sending").update(lease_until=utc_now(-1))


async def _read_contents(ids: Sequence[UUID]) -> Mapping[UUID, Content]:
    if not ids:
        return {}
    rows = await Notification.filter_by(id__in=ids).values_list("id", "content", "sealed_variables")
    return {key: Content(parts or {}, sealed_variables) for key, parts, sealed_variables in rows}


async def _read_database_clock(ids: set[UUID]) -> datetime:
    # The rows' times are by the database's clock, and this machine's may be minutes off.
    read = await Notification.filter_by(id__in=sorted(ids)).aggregate(count=("count", "id"), now=utc_now())
    now: datetime = read["now"]
    return now


async def _end_where(ids: set[UUID], condition: Q, status: Status, code: str | None) -> None:
    ending = await Notification.filter_by(condition, id__in=sorted(ids)).lock().all()
    if not ending:
        return
    await Notification.filter_by(id__in=[row.id for row in ending]).update(
        status=status,
        error_code=code,
        sealed_variables=None,
        lease_owner=None,
        lease_until=None,
        next_attempt_at=None,
        updated_at=utc_now(),
    )
    await NotificationEvent.bulk_create(
        [{"notification_id": row.id, "status": status, "attempt": row.attempt, "detail": code} for row in ending]
    )


@dataclass(frozen=True, slots=True)
class _Change:
    values: Mapping[str, object]
    events: Sequence[Mapping[str, object]]
    wake_after_s: float | None


def _change(row: Notification, outcome: Outcome, max_attempts: int) -> _Change:
    """How an outcome changes a row and its timeline: no event for a deferral that has the same reason as the last."""
    entries: list[tuple[Status, str | None]]
    code: str | None = None
    detail: str | None = None
    message_id: str | None = None
    attempt = row.attempt
    tried = attempt - row.attempts_before
    wake_after_s: float | None = None
    match outcome:
        case Sent(message_id, status, note):
            entries = [("sent", note)] if status == "sent" else [("sent", None), (status, note)]
        case Refused(code, detail):
            entries = [("failed", f"{code}: {detail}")]
        case OutcomeUnknown(detail) if row.guarantee == "at-most-once":
            code, entries = "outcome_unknown", [("failed", f"outcome_unknown: {detail}")]
        case OutcomeUnknown(detail):
            code, entries, wake_after_s = "outcome_unknown", [("unknown", detail)], _unknown_backoff(tried)
        case TryLater(code, detail, _, spends) if spends and tried >= max_attempts:
            entries = [("failed", f"attempts_exhausted: {code}")]
        case TryLater(code, detail, delay_s, spends):
            entries = [("retry_wait", f"{code}: {detail}")]
            wake_after_s = delay_s if delay_s is not None else _backoff(tried)
            if not spends:
                attempt -= 1
                wake_after_s = max(wake_after_s, deferral_delay(row))
            wake_after_s = _jitter(wake_after_s)
    is_news = attempt == row.attempt or code != row.error_code
    # Secrets are kept no longer than they can be needed.
    secrets: dict[str, object] = {"sealed_variables": None} if wake_after_s is None else {}
    return _Change(
        values={
            **secrets,
            "status": entries[-1][0],
            "attempt": attempt,
            "provider_message_id": _clean_message_id(message_id) if message_id else None,
            "error_code": code,
            "error_detail": _clean_detail(detail) if detail else None,
            "next_attempt_at": None if wake_after_s is None else utc_now(wake_after_s),
            "lease_owner": None,
            "lease_until": None,
        },
        events=[
            {
                "notification_id": row.id,
                "status": status,
                "attempt": row.attempt,
                "detail": _clean_detail(note) if note else None,
            }
            for status, note in entries
            if is_news
        ],
        wake_after_s=wake_after_s,
    )


def _clean_message_id(text: str) -> str:
    """Printable ASCII, as the column requires: an odd id must not fail the row of a mail that was sent."""
    return re.sub(r"[^\x21-\x7e]", "?", text)[:MESSAGE_ID_LENGTH]


def _clean_detail(text: str) -> str:
    """Without lone surrogates and NUL, which the column cannot hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:DETAIL_LENGTH]


def _backoff(attempt: int) -> float:
    return BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1]


def deferral_delay(row: Notification) -> float:
    """How long a delivery that spent no attempt waits: a fraction of its age, bounded."""
    age_s = (python_now() - max(row.created_at, row.send_at or row.created_at)).total_seconds()
    return min(age_s * BACKOFF_FRACTION, MAX_DEFERRAL_S)


def _unknown_backoff(attempt: int) -> float:
    # Short at first. Then longer: the provider may be accepting every copy and only failing to report it.
    shortest_s, longest_s = UNKNOWN_BACKOFF_S
    return min(max(_backoff(attempt), shortest_s), longest_s)


def _jitter(seconds: float) -> float:
    """Within a fifth of it, so that deliveries that failed together do not return together."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
