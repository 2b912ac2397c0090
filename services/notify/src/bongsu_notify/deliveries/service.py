"""The rules of delivery: who may send a notification now, and how an outcome changes it.

A delivery is claimed by compare-and-set under a lease on the database's clock, sent with no transaction open, and
marked by compare-and-set on that claim. Every function runs in the caller's unit of work.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, case

from bongsu.contracts.notifications import FINAL, Status
from bongsu.mixins import UUIDKey, utc_now, uuid7
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.port import Outcome, Sent
from bongsu_notify.deliveries import statements
from bongsu_notify.deliveries.outcomes import UNKNOWN_ENDS_S, Change, change
from bongsu_notify.deliveries.statements import ENDED, Event, Peek
from bongsu_notify.notifications.claimed import ClaimedNotification
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.statuses import CLAIMABLE, sources
from bongsu_notify.notifications.transitions import add_entries
from bongsu_notify.suppressions.service import is_suppressed

_KEY: Final = UUIDKey()


@dataclass(frozen=True, slots=True)
class Claims:
    """The result of claiming a batch: `claimed` to send, `settled` to forget, `later` to wake again (seconds)."""

    claimed: Sequence[ClaimedNotification]
    contents: Mapping[UUID, Content]
    sending_events: Mapping[UUID, UUID]
    """The timeline entries `sending` of this claim, by notification."""
    settled: frozenset[UUID]
    later: Mapping[UUID, float]


@dataclass(frozen=True, slots=True)
class MarkResult:
    """The result of marking a batch, by notification: `settled` ended, `later` is woken again (seconds).

    A notification in neither has lost its claim: the new owner decides on the wake-up. If an event of the provider has
    ended it meanwhile, it is settled.
    """

    settled: frozenset[UUID]
    later: Mapping[UUID, float]


class ClaimLost(Exception):
    """Among several claims one has ended meanwhile; nothing may be written. Mark them one by one."""


class _Clock:
    """The database's time, which this process's monotonic clock carries on between two readings."""

    def __init__(self) -> None:
        self._read: tuple[datetime, float] | None = None

    def set(self, now: datetime) -> None:
        self._read = (now, time.monotonic())

    def now(self, *, after: datetime) -> datetime:
        """The database's time: never before `after`, a time that was read from it."""
        if self._read is None:
            return after
        read, at = self._read
        return max(after, read + timedelta(seconds=time.monotonic() - at))


class Deliveries:
    """Claims and marks deliveries.

    :param lease_s: how long a claim holds.
    :param max_attempts: sends tried before a notification fails.
    """

    def __init__(self, *, lease_s: float, max_attempts: int) -> None:
        self.lease_s = lease_s
        self.max_attempts = max_attempts
        self._clock = _Clock()

    async def peek(self, ids: Sequence[UUID]) -> Mapping[UUID, Peek]:
        """Read what decides how each notification is sent."""
        return await statements.peek(ids)

    async def claim(
        self, ids: Sequence[UUID], *, owner: UUID | None = None, earlier: Collection[UUID] = frozenset()
    ) -> Claims:
        """Claim the notifications that are due, and decide on the wake-ups of the others.

        Due are: waiting ones whose time has come; claims of other workers whose lease ended, where the guarantee
        allows a second send; and claims of `owner` and of `earlier` owners, whose commits were not confirmed: nothing
        was sent under them, so their attempt is still to be made.
        """
        owner = owner or uuid7()
        found = await statements.claim(ids, owner, earlier, lease_s=self.lease_s, max_attempts=self.max_attempts)
        claimed = [row for row, _ in found]
        events = {row.id: uuid7() for row in claimed}
        if claimed:
            claimed_at = claimed[0].updated_at
            self._clock.set(claimed_at)
            sending = [Event(events[row.id], row.id, "sending", row.attempt) for row in claimed]
            await statements.add_events(sending, claimed_at)
        contents = {row.id: content for row, content in found}
        settled, later = await self._resolve_unclaimed(set(ids) - set(events))
        return Claims(claimed, contents, events, frozenset(settled), later)

    async def _resolve_unclaimed(self, ids: set[UUID]) -> tuple[set[UUID], dict[UUID, float]]:
        """End the unclaimed that expired or may not be sent again; return the settled ones and the waits of others."""
        if not ids:
            return set(), {}
        now = await _read_database_clock(ids)
        rows = await Notification.filter_by(id__in=sorted(ids)).lock().all()
        suppressed = {*await Notification.filter_by(is_suppressed(), id__in=sorted(ids)).pluck("id")}
        endings: dict[tuple[Status, str | None], list[Notification]] = {}
        settled, later = ids - {row.id for row in rows}, {}
        for row in rows:
            if (ending := self._find_ending(row, now, on_list=row.id in suppressed)) is not None:
                endings.setdefault(ending, []).append(row)
                if ending[0] == "unknown":
                    later[row.id] = UNKNOWN_ENDS_S
                else:
                    settled.add(row.id)
            elif row.status in FINAL or row.status == "sent":
                settled.add(row.id)
            else:
                # Another worker may be sending it: look again when its lease has ended.
                until = row.lease_until if row.status == "sending" else row.next_attempt_at
                later[row.id] = max(1.0, (until - now).total_seconds()) if until is not None else 1.0
        for (status, code), ending_rows in endings.items():
            await _end(ending_rows, status, code, now)
        return settled, later

    def _find_ending(  # noqa: PLR0911 - one for each ending
        self, row: Notification, now: datetime, *, on_list: bool
    ) -> tuple[Status, str | None] | None:
        """How a notification that was not claimed ends, if it does. `unknown` waits for an event of the provider."""
        is_expired = row.expires_at is not None and row.expires_at <= now
        is_spent = row.attempt - row.attempts_before >= self.max_attempts
        if row.status in CLAIMABLE:
            if on_list:
                return "suppressed", None
            if is_expired:
                return "expired", None
            return ("failed", "attempts_exhausted") if is_spent else None
        is_left = row.status == "sending" and row.lease_until is not None and row.lease_until < now
        is_waited_for = row.status == "unknown" and (row.next_attempt_at is None or row.next_attempt_at <= now)
        if (is_left or row.status == "unknown") and row.provider_message_id is not None:
            return "sent", None
        if row.guarantee == "at-most-once" or is_spent or is_expired or on_list:
            if is_left:
                return "unknown", "outcome_unknown"
            if is_waited_for:
                return "failed", "outcome_unknown"
        return None

    async def mark(self, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
        """Record the outcome of each claimed delivery whose claim still stands.

        A lost claim (the lease ended and another worker claimed it) is left to its new owner.

        :raises ClaimLost: one of several claims is lost. The caller rolls back, and marks one by one.
        """
        not_sent = [key for key, outcome in outcomes.items() if not isinstance(outcome, Sent)]
        outcomes = {**outcomes, **await _read_reports(not_sent)}
        if not claims.claimed:
            return MarkResult(frozenset(), {})
        now = self._clock.now(after=max(row.updated_at for row in claims.claimed))
        changes = [(row, change(row, outcomes[row.id], self.max_attempts, now)) for row in claims.claimed]
        written = await _write_changes(changes)
        if written < len(changes):
            if len(changes) > 1:
                raise ClaimLost
            return MarkResult(frozenset(await _read_ended([*outcomes])), {})
        await statements.add_events(
            [
                Event(uuid7(), row.id, status, row.attempt, detail)
                for row, one in changes
                for status, detail in one.events
            ],
            now,
        )
        # A deferral for the same reason as before is no news: the timeline would grow while the provider is busy.
        repeated = [claims.sending_events[row.id] for row, one in changes if not one.events]
        if repeated:
            await NotificationEvent.filter_by(id__in=repeated).delete()
        settled = {row.id for row, one in changes if one.wake_after_s is None}
        later = {row.id: one.wake_after_s for row, one in changes if one.wake_after_s is not None}
        return MarkResult(frozenset(settled), later)


async def _read_reports(ids: Sequence[UUID]) -> Mapping[UUID, Outcome]:
    """The outcomes that the provider's events have reported meanwhile: of these attempts, or of unknown ones before.

    Locks the rows, for an event at this moment.
    """
    if not ids:
        return {}
    reported = Notification.filter_by(id__in=sorted(ids), provider_message_id__isnull=False)
    return {key: Sent(found) for key, found in await reported.lock().values_list("id", "provider_message_id")}


async def _read_ended(ids: Sequence[UUID]) -> Sequence[UUID]:
    """Those that need no more wake-ups."""
    ended: Sequence[UUID] = await Notification.filter_by(id__in=ids, status__in=sorted({*FINAL, "sent"})).pluck("id")
    return ended


async def _write_changes(changes: Sequence[tuple[ClaimedNotification, Change]]) -> int:
    """Write the changes, one statement for those that are alike. Returns how many claims still stood."""
    alike: dict[tuple[object, ...], list[tuple[ClaimedNotification, Change]]] = {}
    for row, one in changes:
        key = (*one.shared.items(), one.message_id is None, one.wake_after_s is None)
        alike.setdefault(key, []).append((row, one))
    written = 0
    for ones in alike.values():
        shared, owners = ones[0][1].shared, sorted({row.lease_owner for row, _ in ones})
        if ones[0][1].wake_after_s is None:
            keys = [(row.id, one.message_id) for row, one in ones]
            written += await statements.end(keys, owners, {name: shared[name] for name in ENDED})
            continue
        held = Notification.filter_by(id__in=[row.id for row, _ in ones], status="sending", lease_owner__in=owners)
        wakes_at = _by_key({row.id: utc_now(one.wake_after_s or 0.0) for row, one in ones})
        written += await held.update(**shared, next_attempt_at=wakes_at, updated_at=utc_now())
    return written


def _by_key(values: Mapping[UUID, object]) -> object:
    if len(values) == 1:
        return next(iter(values.values()))
    # With typed parameters: comparisons, which SQLAlchemy would build for each row, take most of the statement's time.
    return case({bindparam(None, key, type_=_KEY): value for key, value in values.items()}, value=Notification.id)


async def release() -> int:
    """End every lease, for when the workers that held them are known to be gone. Returns how many."""
    return await Notification.filter_by(status="sending").update(lease_until=utc_now(-1))


async def _read_database_clock(ids: set[UUID]) -> datetime:
    # The rows' times are by the database's clock, and this machine's may be minutes off.
    read = await Notification.filter_by(id__in=sorted(ids)).aggregate(count=("count", "id"), now=utc_now())
    now: datetime = read["now"]
    return now


async def _end(rows: Sequence[Notification], status: Status, code: str | None, now: datetime) -> None:
    secrets = {"sealed_variables": None} if status != "unknown" else {}
    await Notification.filter_by(id__in=[row.id for row in rows], status__in=sources(status)).update(
        **secrets,
        status=status,
        error_code=code,
        lease_owner=None,
        lease_until=None,
        next_attempt_at=utc_now(UNKNOWN_ENDS_S) if status == "unknown" else None,
        updated_at=utc_now(),
    )
    await add_entries(rows, status, code, now)
