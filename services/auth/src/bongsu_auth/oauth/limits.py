"""The limit on sign-ins at providers that start in one network: each is a row."""

from bongsu.mixins import Database
from bongsu.runtime.networks import client_network
from bongsu_auth.accounts.limits import HourlyCounters
from bongsu_auth.errors import TooManyAuthorizations
from bongsu_auth.sessions.counters import subject_of


class AuthorizationLimit:
    """Counts sign-ins that start, by the client's network."""

    def __init__(self, database: Database, per_hour: int) -> None:
        self._counters = HourlyCounters(database, per_hour)

    async def count(self, address: str | None) -> None:
        """Count one. Commits by itself: call it outside of a unit of work.

        :raises TooManyAuthorizations: the limit is reached; the request is not counted.
        """
        wait = await self._counters.count(subject_of("authorize", client_network(address)))
        if wait:
            raise TooManyAuthorizations(retry_after_s=wait.total_seconds())

    async def close(self) -> None:
        """Wait for transactions in flight."""
        await self._counters.close()
