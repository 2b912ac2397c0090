"""Failed sign-ins make the next one wait, longer each time; whether the account exists makes no difference.

Counted are one account from one address (a person who forgot, or one attacker), one account from anywhere (many
attackers), and one address (one attacker, many accounts). A device from which the account was signed in before is
exempt from the second, so that attackers cannot lock its owner out. The counters are in the database: all replicas
share them.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from bongsu.identity.sweeps import sweep
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import Database
from bongsu.runtime.networks import client_network
from bongsu_auth.errors import TooManyLogins
from bongsu_auth.sessions.models import LoginFailures

REMEMBERED_FOR = timedelta(hours=1)
LONGEST_WAIT_S = 900
DEVICE_MAX_AGE_S = 365 * 24 * 3600
_DEVICE_CONTEXT = "auth.device"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where a sign-in comes from.

    :param known_device: the account was signed in from this browser before.
    """

    email: str
    address: str | None
    known_device: bool


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How many failures are free, by what is counted."""

    per_account_and_address: int
    per_account: int
    per_address: int

    async def require_open(self, attempt: Attempt) -> bool:
        """Lets an attempt pass that need not wait; whether a success would have failures to `forget`.

        :raises TooManyLogins: it must wait, and for how long.
        """
        now = datetime.now(UTC)
        found = await LoginFailures.filter_by(subject__in=list(self._subjects(attempt))).all()
        waits = [(one.blocked_until - now).total_seconds() for one in found if one.blocked_until is not None]
        if waits and max(waits) > 0:
            raise TooManyLogins(max(waits))
        return bool(found)

    async def count_failure(self, attempt: Attempt, database: Database) -> None:
        """Counts a failure. Each counter is committed by itself; call it outside of a unit of work."""
        for subject, free in self._subjects(attempt).items():
            await database.run(partial(_count, subject, free))

    async def forget(self, attempt: Attempt) -> None:
        """A success: the account's failures from this address no longer count."""
        await LoginFailures.filter_by(
            subject=subject_of("both", attempt.email, client_network(attempt.address))
        ).delete()

    def _subjects(self, attempt: Attempt) -> dict[str, int]:
        address = client_network(attempt.address)
        subjects = {
            subject_of("both", attempt.email, address): self.per_account_and_address,
            subject_of("address", address): self.per_address,
        }
        if not attempt.known_device:
            subjects[subject_of("account", attempt.email)] = self.per_account
        return subjects


async def sweep_failures() -> int:
    """Removes counters that no longer count; how many."""
    return await sweep(LoginFailures, expires_at__lt=datetime.now(UTC))


def device_cookie(vault: Vault, user_id: UUID) -> str:
    """What a browser keeps to show that this user was signed in from it."""
    return vault.seal(str(user_id), aad=_DEVICE_CONTEXT)


def is_device_of(vault: Vault, cookie: str | None, user_id: UUID | None) -> bool:
    """Whether a browser's cookie is one of this user's."""
    if cookie is None or user_id is None:
        return False
    try:
        return vault.open_text(cookie, aad=_DEVICE_CONTEXT) == str(user_id)
    except SealBroken:
        return False


async def _count(subject: str, free: int) -> None:
    now = datetime.now(UTC)
    row = await counter(subject, now)
    failures = 1 if row.expires_at <= now else row.failures + 1
    beyond = failures - free
    wait_s = min(LONGEST_WAIT_S, 2.0 ** min(beyond, 20)) if beyond >= 0 else 0
    await row.update(
        failures=failures,
        blocked_until=now + timedelta(seconds=wait_s) if wait_s else None,
        expires_at=now + REMEMBERED_FOR,
    )


async def counter(subject: str, now: datetime) -> LoginFailures:
    """The counter of a subject, made if there is none. Whoever counts the same waits until the unit ends."""
    # Not found or made, and locked then: of several who make it at once, the later ones would hold a shared lock each
    # and wait for one another's. This takes the row for itself whether it is new or not.
    fresh = {"subject": subject, "failures": 0, "expires_at": now + REMEMBERED_FOR}
    await LoginFailures.upsert(fresh, by="subject", update=[])
    return await LoginFailures.filter_by(subject=subject).lock().one()


def subject_of(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
