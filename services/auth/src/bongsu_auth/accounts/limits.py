"""How often one caller may sign up, whomever they say they are: each sign-up costs a hash, a row and a mail."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu.mixins import Database
from bongsu.runtime.networks import client_network
from bongsu_auth.errors import TooManySignUps
from bongsu_auth.sessions.limits import counter, subject_of

WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SignUpLimit:
    """Counts sign-ups, and mails asked for again, by the caller's network. All replicas share the counters."""

    per_hour: int

    async def count(self, address: str | None, database: Database) -> None:
        """Counts one more. It is committed by itself; call it outside of a unit of work.

        :raises TooManySignUps: there were as many as an hour may have; it is not counted.
        """
        subject = subject_of("register", client_network(address))

        async def counted() -> timedelta:
            """How long to wait; nothing for one that was let in."""
            now = datetime.now(UTC)
            row = await counter(subject, now)
            # What was made just now, or ended, begins an hour.
            begins = row.failures == 0 or row.expires_at <= now
            if not begins and row.failures >= self.per_hour:
                return row.expires_at - now
            await row.update(
                failures=1 if begins else row.failures + 1, expires_at=now + WINDOW if begins else row.expires_at
            )
            return timedelta(0)

        wait = await database.run(counted)
        if wait:
            raise TooManySignUps(wait.total_seconds())
