"""Limits on guesses of passwords and codes. Each guess beyond the limit makes the next one wait longer.

A guess is counted before its secret is checked, and the count is undone after a right one. So concurrent guesses cannot
pass the limit together, and a refusal depends on the number of guesses only, never on the secret.

A guess of an unknown device counts three times: for the account and the network (a person who forgot, or one attacker),
for the account (many attackers), and for the network (one attacker, many accounts). Whether the account exists makes no
difference. A known device has a counter of its own instead, so that attackers cannot lock its owner out, not even
behind the same address. The counters are in the database, so all replicas share them.

A counter also has the number of its guesses that are being checked. Where those alone reach the limit, the next guess
waits for their outcome: a client that signs in several times with the right password is not refused for that.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, TypeVar
from uuid import UUID

from sqlalchemy import bindparam, select

from bongsu.identity.sweeps import sweep
from bongsu.mixins import Database, GroupCommit
from bongsu.runtime.networks import client_network
from bongsu_auth.errors import TooManyLogins
from bongsu_auth.sessions.models import LoginFailures
from bongsu_auth.sessions.turns import Turns

T = TypeVar("T")
Outcome = Literal["right", "wrong", "unchecked"]

COUNTED_FOR = timedelta(hours=1)
LONGEST_WAIT_S = 900
CONCURRENT = 2
"""Guesses that one process checks concurrently for one account and network or device: more would wait in the database
for the outcome of the others."""
PENDING_FOR = timedelta(seconds=10)
OUTCOME_WAIT_S = 8.0
OUTCOME_POLL_S = 0.02
OUTCOME_POLL_MAX_S = 0.2


@dataclass(frozen=True, slots=True)
class Attempt:
    """A guess to be made.

    :param account: the address, or another name of the account.
    :param address: the client's, as our proxies saw it.
    :param device: the ID of a device that the account has signed in from, or of a session; None for a stranger's.
    :param secret: what is guessed: each kind of secret has its own counters.
    """

    account: str
    address: str | None
    device: UUID | None = None
    secret: str = "password"  # noqa: S105 - the name of a kind


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


@dataclass(frozen=True, slots=True)
class _Request:
    own: str
    limits: Mapping[str, int]
    """Free guesses by counter."""


@dataclass(slots=True)
class _Counter:
    """In the order of `_COUNTERS`'s columns, after the subject. `failures` includes the `pending` ones."""

    failures: int
    blocked_until: datetime | None
    expires_at: datetime
    pending: int
    pending_until: datetime | None

    def blocks(self, now: datetime, free: int) -> bool:
        # Right guesses may have been taken off since it was blocked.
        return self.failures >= free and self.blocked_until is not None and self.blocked_until > now

    def may_clear(self, free: int) -> bool:
        """Whether the outcome of the pending guesses may be that the next one is free."""
        return self.pending > 0 and self.failures - self.pending < free

    def settle(self) -> None:
        """Take a pending guess off."""
        self.pending = max(0, self.pending - 1)
        if not self.pending:
            self.pending_until = None


class _OutcomePending(Exception):
    """The guesses that are being checked decide whether this one is free."""


_TABLE = LoginFailures.__table__
_WRITTEN = ["failures", "blocked_until", "expires_at", "pending", "pending_until"]
_BY_SUBJECT = "FORCE INDEX (uq_login_failures_subject)"
_COUNTERS = (
    select(
        _TABLE.c.subject,
        _TABLE.c.failures,
        _TABLE.c.blocked_until,
        _TABLE.c.expires_at,
        _TABLE.c.pending,
        _TABLE.c.pending_until,
    )
    .where(_TABLE.c.subject.in_(bindparam("subjects", expanding=True)))
    .order_by(_TABLE.c.subject)
    .with_for_update()
    # Without it, MySQL scans a small table, and locks all of it.
    .with_hint(_TABLE, _BY_SUBJECT, "mysql")
    .with_hint(_TABLE, _BY_SUBJECT, "mariadb")
)


class GuessLimits:
    """How many wrong guesses are free, per counter.

    :param first_wait_s: the wait after the last free guess; each further one doubles it.
    :param outcome_wait_s: how long a guess waits for the outcome of those before it.
    :param pending_for: a guess without an outcome by then was wrong: its process died, or its client disconnected.
    """

    def __init__(  # noqa: PLR0913 - each is one limit
        self,
        database: Database,
        *,
        per_account_and_address: int,
        per_account: int,
        per_address: int,
        first_wait_s: float = 1,
        outcome_wait_s: float = OUTCOME_WAIT_S,
        pending_for: timedelta = PENDING_FOR,
    ) -> None:
        self._database = database
        self._outcome_wait_s = outcome_wait_s
        self._pending_for = pending_for
        self._per_account_and_address = per_account_and_address
        self._per_account = per_account
        self._per_address = per_address
        self._turns = Turns(CONCURRENT)
        self._reservations: GroupCommit[_Request, Reservation] = GroupCommit(
            database, partial(_reserve, database, first_wait_s, pending_for)
        )

    async def guard(self, attempt: Attempt, check: Callable[[], Awaitable[T | None]]) -> T | None:
        """Check a secret: return what `check` returns, None for a wrong secret.

        Commits by itself: call it outside of a unit of work.

        :raises TooManyLogins: the attempt has to wait; `check` was not called.
        """
        async with self.reserve(attempt) as reservation:
            found = await check()
        if found is not None:
            await self._database.run(self.release, reservation)
        else:
            await self.confirm(reservation)
        return found

    async def confirm(self, reservation: Reservation) -> None:
        """Record that a guess was wrong: it stays counted. Commits by itself."""
        await self._database.run(partial(_settle, self._database, reservation, outcome="wrong"))

    @asynccontextmanager
    async def reserve(self, attempt: Attempt) -> AsyncIterator[Reservation]:
        """Count a guess before its secret is checked in the block. After a right one, call `release`, else `confirm`.

        An exception in the block, such as a full queue, undoes the count.

        :raises TooManyLogins: the attempt has to wait.
        """
        request = self._request_of(attempt)
        async with self._turns.take(request.own):
            reservation = await self._count(request)
            try:
                yield reservation
            except Exception:
                await self._database.run(partial(_settle, self._database, reservation, outcome="unchecked"))
                raise

    async def _count(self, request: _Request) -> Reservation:
        deadline, pause_s = time.monotonic() + self._outcome_wait_s, OUTCOME_POLL_S
        while True:
            try:
                return await self._reservations.submit(request)
            except _OutcomePending:
                if time.monotonic() >= deadline:
                    raise TooManyLogins(self._pending_for.total_seconds()) from None
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, OUTCOME_POLL_MAX_S)

    async def release(self, *reservations: Reservation) -> None:
        """Undo the count of right guesses, and forget the wrong ones before them, in the caller's unit of work."""
        await _settle(self._database, *reservations, outcome="right")

    async def close(self) -> None:
        """Wait for transactions in flight."""
        await self._reservations.close()

    def _request_of(self, attempt: Attempt) -> _Request:
        if attempt.device is not None:
            own = subject_of(attempt.secret, "device", attempt.account, attempt.device.hex)
            return _Request(own, {own: self._per_account_and_address})
        network = client_network(attempt.address)
        own = subject_of(attempt.secret, "both", attempt.account, network)
        return _Request(
            own,
            {
                own: self._per_account_and_address,
                subject_of(attempt.secret, "address", network): self._per_address,
                subject_of(attempt.secret, "account", attempt.account): self._per_account,
            },
        )


async def _reserve(
    database: Database, first_wait_s: float, pending_for: timedelta, requests: Sequence[_Request]
) -> Sequence[Reservation | Exception]:
    now = datetime.now(UTC)
    counters = await _lock_counters(database, {subject for request in requests for subject in request.limits}, now)
    for counter in counters.values():
        if counter.expires_at <= now:
            counter.failures = counter.pending = 0
        if counter.pending_until is None or counter.pending_until <= now:
            counter.pending = 0
    results = [_count(request, counters, now, first_wait_s, pending_for) for request in requests]
    counted = {
        subject for result in results if isinstance(result, Reservation) for subject in (result.own, *result.shared)
    }
    await _write_counters({subject: counters[subject] for subject in counted})
    return results


async def _lock_counters(database: Database, subjects: set[str], now: datetime) -> dict[str, _Counter]:
    """Return the counters, locked until the unit of work ends. Those that are missing are created."""
    # Most exist: a client that signs in again does so within the hour.
    counters = await _read_counters(database, subjects)
    if missing := subjects - counters.keys():
        await _create_counters(missing, now)
        counters |= await _read_counters(database, missing)
    return counters


async def _read_counters(database: Database, subjects: Collection[str]) -> dict[str, _Counter]:
    """Return the counters that exist, locked until the unit of work ends."""
    unit = database.ambient()
    assert unit is not None  # noqa: S101 - the caller opened it
    # Every sign-in reads them twice: the mixins would build the statement each time, and give it no index.
    rows = await unit.session.execute(_COUNTERS, {"subjects": sorted(subjects)})
    return {subject: _Counter(*counter) for subject, *counter in rows}


async def _write_counters(counters: Mapping[str, _Counter]) -> None:
    rows = [
        {"subject": subject} | {column: getattr(counter, column) for column in _WRITTEN}
        for subject, counter in sorted(counters.items())
    ]
    if rows:
        await LoginFailures.upsert(rows, by="subject", update=_WRITTEN, savepoint=False)


def _count(
    request: _Request, counters: Mapping[str, _Counter], now: datetime, first_wait_s: float, pending_for: timedelta
) -> Reservation | TooManyLogins | _OutcomePending:
    blocking = [subject for subject, free in request.limits.items() if counters[subject].blocks(now, free)]
    if blocking:
        if all(counters[subject].may_clear(request.limits[subject]) for subject in blocking):
            return _OutcomePending()
        longest = max(counters[subject].blocked_until or now for subject in blocking)
        return TooManyLogins((longest - now).total_seconds())
    blocks, pending_until = {}, now + pending_for
    for subject, free in request.limits.items():
        counter = counters[subject]
        counter.failures += 1
        counter.pending += 1
        counter.pending_until = pending_until
        counter.expires_at = now + COUNTED_FOR
        beyond = counter.failures - free
        counter.blocked_until = None
        if beyond >= 0:
            wait_s = min(LONGEST_WAIT_S, first_wait_s * 2.0 ** min(beyond, 20))
            counter.blocked_until = blocks[subject] = now + timedelta(seconds=wait_s)
    shared = tuple(subject for subject in request.limits if subject != request.own)
    return Reservation(request.own, shared, blocks, pending_until)


async def _settle(database: Database, *guesses: Reservation, outcome: Outcome) -> None:
    """Record the outcome of guesses, which are pending no longer.

    A wrong one stays counted. Another is taken off the counters, with the wait that it caused; a right one also makes
    its own counter forget the wrong ones before it.
    """
    now = datetime.now(UTC)
    counters = await _read_counters(database, {subject for guess in guesses for subject in (guess.own, *guess.shared)})
    for guess in guesses:
        for subject in (guess.own, *guess.shared):
            if (counter := counters.get(subject)) is None:
                continue
            if guess.pending_until > now:
                counter.settle()
            # A late outcome would take a newer guess off, where this one is no longer pending.
            if outcome == "wrong":
                continue
            is_forgotten = outcome == "right" and subject == guess.own
            # The others that are being checked stay counted.
            counter.failures = min(counter.failures, counter.pending) if is_forgotten else max(0, counter.failures - 1)
            # Only the wait of this guess ends: another may have caused a longer one.
            if is_forgotten or counter.blocked_until == guess.blocks.get(subject):
                counter.blocked_until = None
    await _write_counters(counters)


async def sweep_failures() -> int:
    """Delete expired counters. Returns how many."""
    return await sweep(LoginFailures, expires_at__lt=datetime.now(UTC))


async def lock_counter(subject: str, now: datetime) -> LoginFailures:
    """Return the counter of a subject, created if missing, locked until the unit of work ends."""
    await _create_counters([subject], now)
    return await LoginFailures.filter_by(subject=subject).one()


async def _create_counters(subjects: Collection[str], now: datetime) -> None:
    """Create the counters that are missing, and lock all of them until the unit of work ends."""
    # An upsert takes exclusive locks whether the rows are new or not, in this order. Of several locking reads that find
    # no row and insert it, the later ones would each hold a shared lock and wait for one another.
    fresh = [{"subject": subject, "failures": 0, "expires_at": now + COUNTED_FOR} for subject in sorted(subjects)]
    await LoginFailures.upsert(fresh, by="subject", update=[], savepoint=False)


def subject_of(*parts: str) -> str:
    """Return the name of a counter: a digest, as it may name an account."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
