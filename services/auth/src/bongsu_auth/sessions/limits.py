"""Limits on guesses of passwords and codes. Each guess beyond the limit makes the next one wait longer.

A guess is counted before its secret is checked, and the count is undone after a right one. So concurrent guesses cannot
pass the limit together, and a refusal depends on the number of guesses only, never on the secret.

A guess of an unknown device counts three times: for the account and the network (a person who forgot, or one attacker),
for the account (many attackers), and for the network (one attacker, many accounts). Whether the account exists makes no
difference. A known device has a counter of its own instead, so that attackers cannot lock its owner out, not even
behind the same address. The counters are in the database, so all replicas share them.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from sqlalchemy import and_, case, or_

from bongsu.identity.sweeps import sweep
from bongsu.mixins import Database, GroupCommit
from bongsu.runtime.networks import client_network
from bongsu_auth.errors import TooManyLogins
from bongsu_auth.sessions.models import LoginFailures

T = TypeVar("T")

COUNTED_FOR = timedelta(hours=1)
LONGEST_WAIT_S = 900
CONCURRENT = 2
"""Guesses that one process checks concurrently for one account and network or device: a client that signs in several
times with the right password must not reach the limit by that."""


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
    """

    own: str
    shared: tuple[str, ...]
    blocks: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class _Request:
    own: str
    limits: Mapping[str, int]
    """Free guesses by counter."""


@dataclass(slots=True)
class _Counter:
    failures: int
    blocked_until: datetime | None
    expires_at: datetime


class GuessLimits:
    """How many wrong guesses are free, per counter.

    :param first_wait_s: the wait after the last free guess; each further one doubles it.
    """

    def __init__(
        self,
        database: Database,
        *,
        per_account_and_address: int,
        per_account: int,
        per_address: int,
        first_wait_s: float = 1.0,
    ) -> None:
        self._database = database
        self._per_account_and_address = per_account_and_address
        self._per_account = per_account
        self._per_address = per_address
        self._turns = _Turns()
        self._reservations: GroupCommit[_Request, Reservation] = GroupCommit(database, partial(_reserve, first_wait_s))

    async def guard(self, attempt: Attempt, check: Callable[[], Awaitable[T | None]]) -> T | None:
        """Check a secret: return what `check` returns, None for a wrong secret.

        Commits by itself: call it outside of a unit of work.

        :raises TooManyLogins: the attempt has to wait; `check` was not called.
        """
        async with self.reserve(attempt) as reservation:
            found = await check()
        if found is not None:
            await self._database.run(self.release, reservation)
        return found

    @asynccontextmanager
    async def reserve(self, attempt: Attempt) -> AsyncIterator[Reservation]:
        """Count a guess before its secret is checked in the block. After a right one, call `release`.

        An exception in the block, such as a full queue, undoes the count.

        :raises TooManyLogins: the attempt has to wait.
        """
        request = self._request_of(attempt)
        async with self._turns.take(request.own):
            reservation = await self._reservations.submit(request)
            try:
                yield reservation
            except Exception:
                await self._database.run(_uncount, (*reservation.shared, reservation.own), reservation.blocks)
                raise

    async def release(self, reservation: Reservation) -> None:
        """Undo the count of a right guess, and forget the wrong ones before it, in the caller's unit of work."""
        await _uncount(reservation.shared, reservation.blocks, forgotten=reservation.own)

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


@dataclass(slots=True)
class _Turns:
    """Lets a few tasks proceed for each key."""

    _waiting: dict[str, tuple[asyncio.Semaphore, int]] = field(default_factory=dict)

    @asynccontextmanager
    async def take(self, key: str) -> AsyncIterator[None]:
        semaphore, users = self._waiting.get(key) or (asyncio.Semaphore(CONCURRENT), 0)
        self._waiting[key] = semaphore, users + 1
        try:
            async with semaphore:
                yield
        finally:
            _, users = self._waiting[key]
            if users == 1:
                del self._waiting[key]
            else:
                self._waiting[key] = semaphore, users - 1


async def _reserve(first_wait_s: float, requests: Sequence[_Request]) -> Sequence[Reservation | Exception]:
    now = datetime.now(UTC)
    subjects = {subject for request in requests for subject in request.limits}
    counters = {
        row.subject: _Counter(row.failures if row.expires_at > now else 0, row.blocked_until, row.expires_at)
        for row in await lock_counters(subjects, now)
    }
    results = [_count(request, counters, now, first_wait_s) for request in requests]
    counted = {
        subject for result in results if isinstance(result, Reservation) for subject in (result.own, *result.shared)
    }
    changed = [
        {
            "subject": subject,
            "failures": counters[subject].failures,
            "blocked_until": counters[subject].blocked_until,
            "expires_at": counters[subject].expires_at,
        }
        for subject in sorted(counted)
    ]
    if changed:
        await LoginFailures.upsert(changed, by="subject", update=["failures", "blocked_until", "expires_at"])
    return results


def _count(
    request: _Request, counters: Mapping[str, _Counter], now: datetime, first_wait_s: float
) -> Reservation | TooManyLogins:
    waits = [counters[subject].blocked_until for subject in request.limits]
    if (longest := max((wait for wait in waits if wait is not None), default=now)) > now:
        return TooManyLogins((longest - now).total_seconds())
    blocks = {}
    for subject, free in request.limits.items():
        counter = counters[subject]
        counter.failures += 1
        counter.expires_at = now + COUNTED_FOR
        beyond = counter.failures - free
        counter.blocked_until = None
        if beyond >= 0:
            wait_s = min(LONGEST_WAIT_S, first_wait_s * 2.0 ** min(beyond, 20))
            counter.blocked_until = blocks[subject] = now + timedelta(seconds=wait_s)
    return Reservation(request.own, tuple(subject for subject in request.limits if subject != request.own), blocks)


async def _uncount(subjects: Sequence[str], blocks: Mapping[str, datetime], *, forgotten: str | None = None) -> None:
    """Take one guess off the counters, and the waits that it caused; set the forgotten one to zero."""
    own = [] if forgotten is None else [forgotten]
    # Only the waits of this guess end: another may have caused a longer one.
    ended = or_(
        LoginFailures.subject.in_(own),
        *(
            and_(LoginFailures.subject == subject, LoginFailures.blocked_until == until)
            for subject, until in blocks.items()
        ),
    )
    # No assignment reads what another one changes: MySQL makes them in order.
    await LoginFailures.filter_by(subject__in=[*subjects, *own], failures__gt=0).update(
        failures=case((LoginFailures.subject.in_(own), 0), else_=LoginFailures.failures - 1),
        blocked_until=case((ended, None), else_=LoginFailures.blocked_until),
    )


async def sweep_failures() -> int:
    """Delete expired counters. Returns how many."""
    return await sweep(LoginFailures, expires_at__lt=datetime.now(UTC))


async def lock_counters(subjects: Collection[str], now: datetime) -> Sequence[LoginFailures]:
    """Return the counters of the subjects, created if missing, locked until the unit of work ends."""
    # An upsert takes exclusive locks whether the rows are new or not, in this order. A locking read could lock other
    # rows, too: MySQL scans small tables. And of several that insert a row at the same time, the later ones would each
    # hold a shared lock and wait for one another.
    fresh = [{"subject": subject, "failures": 0, "expires_at": now + COUNTED_FOR} for subject in sorted(subjects)]
    await LoginFailures.upsert(fresh, by="subject", update=[])
    return await LoginFailures.filter_by(subject__in=subjects).all()


def subject_of(*parts: str) -> str:
    """Return the name of a counter: a digest, as it may name an account."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
