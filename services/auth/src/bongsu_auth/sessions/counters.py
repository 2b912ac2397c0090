"""The counters of guesses, as rows that all replicas share."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, Literal, cast

from sqlalchemy import ColumnElement, Table, Update, bindparam, case, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from bongsu.identity.sweeps import sweep
from bongsu.mixins import Database, written
from bongsu_auth.sessions.models import LoginFailures

COUNTED_FOR = timedelta(hours=1)

Outcome = Literal["right", "wrong", "unchecked"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """A counted guess.

    :param own: the counter of this account and network, or of this device.
    :param blocks: the counters that this guess blocked, with the time.
    :param pending_until: an outcome after that is late: the counters may no longer have the guess as pending.
    """

    own: str
    shared: tuple[str, ...]
    blocks: Mapping[str, datetime]
    pending_until: datetime

    @property
    def subjects(self) -> tuple[str, ...]:
        """All its counters."""
        return (self.own, *self.shared)


@dataclass(slots=True)
class Count:
    """A counter, but its subject: the columns by their names. `failures` includes the `pending` ones."""

    failures: int
    blocked_until: datetime | None
    expires_at: datetime
    pending: int
    pending_until: datetime | None

    def blocks(self, now: datetime, free: int) -> bool:
        """Whether the next guess has to wait."""
        # Right guesses may have been taken off since it was blocked.
        return self.failures >= free and self.blocked_until is not None and self.blocked_until > now

    def may_clear(self, free: int) -> bool:
        """Whether the outcome of the pending guesses may be that the next one is free."""
        return self.pending > 0 and self.failures - self.pending < free


def _write_numbers(numbers: Mapping[str, int]) -> str:
    others = [f"WHEN '{subject}' THEN {number}" for subject, number in numbers.items() if number != 1]
    return f"(CASE subject {' '.join(others)} ELSE 1 END)" if others else "1"


_TABLE: Final = cast("Table", LoginFailures.__table__)
_ROW: Final = _TABLE.c
# Without it, MySQL scans a small table, and locks all of it.
_BY_SUBJECT: Final = "FORCE INDEX (uq_login_failures_subject)"
_IS_CHOSEN: Final = _ROW.subject.in_(bindparam("subjects", expanding=True))
_UPDATE: Final = (
    update(_TABLE).where(_IS_CHOSEN).with_hint(_BY_SUBJECT, _TABLE, "mysql").with_hint(_BY_SUBJECT, _TABLE, "mariadb")
)
_NAMES: Final = tuple(field.name for field in fields(Count))
_COUNTS: Final = (
    select(_ROW.subject, *(_ROW[name] for name in _NAMES))
    .where(_IS_CHOSEN)
    .order_by(_ROW.subject)
    .with_for_update()
    .with_hint(_TABLE, _BY_SUBJECT, "mysql")
    .with_hint(_TABLE, _BY_SUBJECT, "mariadb")
)
# Subjects are hexadecimal. As parameters, they would be a condition for each.
_GUESSES: Final = written("guesses", _write_numbers)
_RESERVE: Final = _UPDATE.values(
    failures=written("failures_by_subject", _write_numbers),
    pending=written("pending_by_subject", _write_numbers),
    blocked_until=None,
    pending_until=bindparam("new_pending_until"),
    expires_at=bindparam("new_expires_at"),
)
_BLOCK: Final = _UPDATE.values(blocked_until=bindparam("until"))


@cache
def _settlement(outcome: Outcome, *, is_late: bool, has_blocks: bool) -> Update:
    """Return the statement for guesses with one outcome. A late one is no longer pending."""
    left = _ROW.pending if is_late else _at_least_zero(_ROW.pending - _GUESSES)
    values: list[tuple[ColumnElement[object], object]] = []
    if outcome != "wrong":
        failures, is_unblocked = _at_least_zero(_ROW.failures - _GUESSES), list[ColumnElement[bool]]()
        if outcome == "right":
            is_own = _ROW.subject.in_(bindparam("own", expanding=True))
            # Those that are being checked stay counted.
            failures = case((is_own, left), else_=failures)
            is_unblocked = [is_own]
        if has_blocks:
            # Only the wait of these guesses ends: another may have caused a longer one.
            is_unblocked.append(tuple_(_ROW.subject, _ROW.blocked_until).in_(bindparam("blocks", expanding=True)))
        values.append((_ROW.failures, failures))
        if is_unblocked:
            values.append((_ROW.blocked_until, case((or_(*is_unblocked), None), else_=_ROW.blocked_until)))
    if not is_late:
        values.append((_ROW.pending_until, case((left > 0, _ROW.pending_until), else_=None)))
        values.append((_ROW.pending, left))
    # MySQL assigns in this order: `pending` has its old value until the last.
    return _UPDATE.ordered_values(*values)


def _at_least_zero(value: ColumnElement[int]) -> ColumnElement[int]:
    return case((value > 0, value), else_=0)


async def settle(database: Database, *guesses: Reservation, outcome: Outcome) -> None:
    """Record the outcome of guesses, which are pending no longer.

    A wrong one stays counted. Another is taken off the counters, with the wait that it caused; a right one also makes
    its own counter forget the wrong ones before it.
    """
    now = datetime.now(UTC)
    for is_late in (False, True):
        settled = [guess for guess in guesses if (guess.pending_until <= now) is is_late]
        if not settled or (is_late and outcome == "wrong"):
            continue
        counted = Counter(subject for guess in settled for subject in guess.subjects)
        blocks = [block for guess in settled for block in guess.blocks.items()]
        values: dict[str, object] = {"subjects": sorted(counted), "guesses": counted}
        if outcome == "right":
            values["own"] = sorted({guess.own for guess in settled})
        if outcome != "wrong" and blocks:
            values["blocks"] = blocks
        statement = _settlement(outcome, is_late=is_late, has_blocks=bool(blocks))
        await _session_of(database).execute(statement, values)


async def lock_counts(database: Database, subjects: Collection[str], now: datetime) -> dict[str, Count]:
    """Return the counters, locked until the unit of work ends. Those that are missing are created."""
    # Most exist: a client that signs in again does so within the hour.
    counts = await _read(database, subjects)
    if missing := {*subjects} - counts.keys():
        await _create(missing, now)
        counts |= await _read(database, missing)
    return counts


async def write_reserved(
    database: Database, counts: Mapping[str, Count], *, pending_until: datetime, expires_at: datetime
) -> None:
    """Write counters that are locked, each of which has a new guess."""
    values: dict[str, object] = {
        "subjects": [*counts],
        "failures_by_subject": {subject: count.failures for subject, count in counts.items()},
        "pending_by_subject": {subject: count.pending for subject, count in counts.items()},
        "new_pending_until": pending_until,
        "new_expires_at": expires_at,
    }
    await _session_of(database).execute(_RESERVE, values)
    blocked = defaultdict[datetime, list[str]](list)
    for subject, count in counts.items():
        if count.blocked_until is not None:
            blocked[count.blocked_until].append(subject)
    for until, subjects in blocked.items():
        await _session_of(database).execute(_BLOCK, {"subjects": subjects, "until": until})


async def lock_counter(subject: str, now: datetime) -> LoginFailures:
    """Return the counter of a subject, created if missing, locked until the unit of work ends."""
    await _create([subject], now)
    return await LoginFailures.filter_by(subject=subject).one()


async def sweep_counters() -> int:
    """Delete expired counters. Returns how many."""
    return await sweep(LoginFailures, expires_at__lt=datetime.now(UTC))


async def _read(database: Database, subjects: Collection[str]) -> dict[str, Count]:
    # Every sign-in reads them: the mixins would build the statement each time, and give it no index.
    rows = await _session_of(database).execute(_COUNTS, {"subjects": sorted(subjects)})
    return {subject: Count(*count) for subject, *count in rows}


async def _create(subjects: Collection[str], now: datetime) -> None:
    """Create the counters that are missing, and lock all of them until the unit of work ends."""
    # An upsert takes exclusive locks whether the rows are new or not, in this order. Of several locking reads that find
    # no row and insert it, the later ones would each hold a shared lock and wait for one another.
    fresh = [{"subject": subject, "failures": 0, "expires_at": now + COUNTED_FOR} for subject in sorted(subjects)]
    await LoginFailures.upsert(fresh, by="subject", update=[], savepoint=False)


def _session_of(database: Database) -> AsyncSession:
    unit = database.ambient()
    assert unit is not None  # noqa: S101 - the caller opened it
    return unit.session


def subject_of(*parts: str) -> str:
    """Return the name of a counter: a digest, as it may name an account."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
