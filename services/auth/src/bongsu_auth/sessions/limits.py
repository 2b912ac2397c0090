"""Each failed sign-in makes the next one wait longer, whether the account exists or not.

There are three counters: one account from one address (a person who forgot, or one attacker), one account from any
address (many attackers), and one address (one attacker, many accounts). A device from which the account signed in
before is exempt from the second, so that attackers cannot lock its owner out. The counters are in the database, so all
replicas share them.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu.identity.models import User
from bongsu.identity.sweeps import sweep
from bongsu.mixins import Database
from bongsu.runtime.networks import client_network
from bongsu_auth.errors import TooManyLogins
from bongsu_auth.sessions.models import LoginFailures

COUNTED_FOR = timedelta(hours=1)
LONGEST_WAIT_S = 900


@dataclass(frozen=True, slots=True)
class Attempt:
    """The origin of a sign-in.

    :param known_device: the account signed in from this browser before.
    """

    email: str
    address: str | None
    known_device: bool


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How many failures are free, per counter."""

    database: Database
    per_account_and_address: int
    per_account: int
    per_address: int

    async def guard(self, attempt: Attempt, check: Callable[[], Awaitable[User | None]]) -> User | None:
        """Run a password check unless the attempt has to wait, and count its failure.

        Commits by itself: call it outside of a unit of work.

        :raises TooManyLogins: the attempt has to wait.
        """
        await self.require_open(attempt)
        user = await check()
        if user is None:
            await self.count_failure(attempt)
        return user

    async def require_open(self, attempt: Attempt) -> bool:
        """Let an attempt pass that need not wait. Returns whether there are failures for `forget` to delete.

        :raises TooManyLogins: with the time to wait.
        """
        now = datetime.now(UTC)
        found = await LoginFailures.filter_by(subject__in=list(self._subjects(attempt))).all()
        waits = [(row.blocked_until - now).total_seconds() for row in found if row.blocked_until is not None]
        if waits and max(waits) > 0:
            raise TooManyLogins(max(waits))
        return bool(found)

    async def confirm(self, attempt: Attempt) -> None:
        """Accept a right password, in the unit of work of what it opens.

        Other guesses may have run at the same time, all admitted before one was counted: a right password counts only
        while a guess was left.

        :raises TooManyLogins: none was left.
        """
        if await self.require_open(attempt):
            await self.forget(attempt)

    async def count_failure(self, attempt: Attempt) -> None:
        """Count a failure. Each counter is committed by itself."""
        for subject, free in self._subjects(attempt).items():
            await self.database.run(_count, subject, free)

    async def forget(self, attempt: Attempt) -> None:
        """Delete the account's failures from this address, after a success."""
        network = client_network(attempt.address)
        await LoginFailures.filter_by(subject=subject_of("both", attempt.email, network)).delete()

    def _subjects(self, attempt: Attempt) -> dict[str, int]:
        network = client_network(attempt.address)
        subjects = {
            subject_of("both", attempt.email, network): self.per_account_and_address,
            subject_of("address", network): self.per_address,
        }
        if not attempt.known_device:
            subjects[subject_of("account", attempt.email)] = self.per_account
        return subjects


async def sweep_failures() -> int:
    """Delete expired counters. Returns how many."""
    return await sweep(LoginFailures, expires_at__lt=datetime.now(UTC))


async def _count(subject: str, free: int) -> None:
    now = datetime.now(UTC)
    row = await lock_counter(subject, now)
    failures = 1 if row.expires_at <= now else row.failures + 1
    beyond = failures - free
    wait_s = min(LONGEST_WAIT_S, 2.0 ** min(beyond, 20)) if beyond >= 0 else 0
    await row.update(
        failures=failures,
        blocked_until=now + timedelta(seconds=wait_s) if wait_s else None,
        expires_at=now + COUNTED_FOR,
    )


async def lock_counter(subject: str, now: datetime) -> LoginFailures:
    """Return the counter of a subject, created if missing, locked until the unit of work ends."""
    # Not "find or create, then lock": of several that create it at the same time, the later ones would each hold a
    # shared lock and wait for one another. The upsert takes an exclusive lock whether the row is new or not.
    fresh = {"subject": subject, "failures": 0, "expires_at": now + COUNTED_FOR}
    await LoginFailures.upsert(fresh, by="subject", update=[])
    return await LoginFailures.filter_by(subject=subject).lock().one()


def subject_of(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
