"""The limits on requests of one network an hour: sign-ups here, and sign-ins at providers in `oauth.limits`."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from bongsu.mixins import Database, GroupCommit
from bongsu.runtime.networks import client_network
from bongsu_auth.errors import TooManySignUps
from bongsu_auth.sessions.counters import lock_counter, subject_of

WINDOW = timedelta(hours=1)


class HourlyCounters:
    """Counts requests by subject, in the database, so that all replicas share the counters.

    Requests that arrive together are counted in one transaction: each of its own would hold a connection while it
    waits for the row of the network, until the pool has none left.
    """

    def __init__(self, database: Database, per_hour: int) -> None:
        self._commits: GroupCommit[str, timedelta] = GroupCommit(database, partial(_count, per_hour))

    async def count(self, subject: str) -> timedelta:
        """Count a request of a subject, or return how long to wait. Call it outside of a unit of work."""
        return await self._commits.submit(subject)

    async def close(self) -> None:
        """Wait for transactions in flight."""
        await self._commits.close()


class SignUpLimit:
    """Counts sign-ups, and requests for another mail, by the client's network: each costs a hash, a row and a mail."""

    def __init__(self, database: Database, per_hour: int) -> None:
        self._counters = HourlyCounters(database, per_hour)

    async def count(self, address: str | None) -> None:
        """Count one. Commits by itself: call it outside of a unit of work.

        :raises TooManySignUps: the limit is reached; the request is not counted.
        """
        wait = await self._counters.count(subject_of("register", client_network(address)))
        if wait:
            raise TooManySignUps(retry_after_s=wait.total_seconds())

    async def close(self) -> None:
        """Wait for transactions in flight."""
        await self._counters.close()


async def _count(per_hour: int, subjects: Sequence[str]) -> Sequence[timedelta]:
    waits: dict[str, tuple[int, timedelta]] = {}
    # In one order: each look-up locks a row.
    for subject, requests in sorted(Counter(subjects).items()):
        waits[subject] = await _count_subject(subject, requests, per_hour)
    results = []
    for subject in subjects:
        free, wait = waits[subject]
        results.append(timedelta(0) if free > 0 else wait)
        waits[subject] = free - 1, wait
    return results


async def _count_subject(subject: str, requests: int, per_hour: int) -> tuple[int, timedelta]:
    """Count requests of a subject. Returns how many of them are within the limit, and how long the others wait."""
    now = datetime.now(UTC)
    row = await lock_counter(subject, now)
    # A new or expired counter begins an hour.
    begins = row.failures == 0 or row.expires_at <= now
    used, ends_at = (0, now + WINDOW) if begins else (row.failures, row.expires_at)
    free = max(0, min(requests, per_hour - used))
    if free:
        await row.update(failures=used + free, expires_at=ends_at)
    return free, ends_at - now
