"""The limit on sign-ups from one network: each costs a hash, a row and a mail."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu.mixins import Database
from bongsu.runtime.networks import client_network
from bongsu_auth.errors import TooManySignUps
from bongsu_auth.sessions.limits import lock_counter, subject_of

WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SignUpLimit:
    """Counts sign-ups, and requests for another mail, by the client's network. All replicas share the counters."""

    database: Database
    per_hour: int

    async def count(self, address: str | None) -> None:
        """Count one. Commits by itself: call it outside of a unit of work.

        :raises TooManySignUps: the limit is reached; the request is not counted.
        """
        wait = await self.database.run(
            count_within_hour, subject_of("register", client_network(address)), self.per_hour
        )
        if wait:
            raise TooManySignUps(retry_after_s=wait.total_seconds())


async def count_within_hour(subject: str, per_hour: int) -> timedelta:
    """Count a request of a subject, or return how long to wait. Needs an open unit of work."""
    now = datetime.now(UTC)
    row = await lock_counter(subject, now)
    # A new or expired counter begins an hour.
    begins = row.failures == 0 or row.expires_at <= now
    if not begins and row.failures >= per_hour:
        return row.expires_at - now
    await row.update(failures=1 if begins else row.failures + 1, expires_at=now + WINDOW if begins else row.expires_at)
    return timedelta(0)
