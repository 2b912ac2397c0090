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
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from bongsu.mixins import Database, GroupCommit
from bongsu.runtime.networks import client_network
from bongsu_auth.errors import TooManyLogins
from bongsu_auth.sessions.counters import (
    COUNTED_FOR,
    Count,
    Reservation,
    lock_counts,
    settle,
    subject_of,
    write_reserved,
)
from bongsu_auth.sessions.turns import Turns

T = TypeVar("T")

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
class _Request:
    own: str
    limits: Mapping[str, int]
    """Free guesses by counter."""


class _OutcomePending(Exception):
    """The guesses that are being checked decide whether this one is free."""


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
        await self._database.run(partial(settle, self._database, reservation, outcome="wrong"))

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
                await self._database.run(partial(settle, self._database, reservation, outcome="unchecked"))
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
        await settle(self._database, *reservations, outcome="right")

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
    pending_until, expires_at = now + pending_for, now + COUNTED_FOR
    counters = await lock_counts(database, {subject for request in requests for subject in request.limits}, now)
    for counter in counters.values():
        if counter.expires_at <= now:
            counter.failures = counter.pending = 0
        if counter.pending_until is None or counter.pending_until <= now:
            counter.pending = 0
    results = [_count(request, counters, now, first_wait_s, pending_until) for request in requests]
    counted = {subject for result in results if isinstance(result, Reservation) for subject in result.subjects}
    if counted:
        reserved = {subject: counters[subject] for subject in counted}
        await write_reserved(database, reserved, pending_until=pending_until, expires_at=expires_at)
    return results


def _count(
    request: _Request, counters: Mapping[str, Count], now: datetime, first_wait_s: float, pending_until: datetime
) -> Reservation | TooManyLogins | _OutcomePending:
    blocking = [subject for subject, free in request.limits.items() if counters[subject].blocks(now, free)]
    if blocking:
        if all(counters[subject].may_clear(request.limits[subject]) for subject in blocking):
            return _OutcomePending()
        longest = max(counters[subject].blocked_until or now for subject in blocking)
        return TooManyLogins((longest - now).total_seconds())
    blocks = {}
    for subject, free in request.limits.items():
        counter = counters[subject]
        counter.failures += 1
        counter.pending += 1
        beyond = counter.failures - free
        counter.blocked_until = None
        if beyond >= 0:
            wait_s = min(LONGEST_WAIT_S, first_wait_s * 2.0 ** min(beyond, 20))
            counter.blocked_until = blocks[subject] = now + timedelta(seconds=wait_s)
    shared = tuple(subject for subject in request.limits if subject != request.own)
    return Reservation(request.own, shared, blocks, pending_until)
