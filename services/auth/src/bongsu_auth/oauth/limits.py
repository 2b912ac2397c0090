"""The limit on sign-ins at providers that start in one network: each is a row."""

from dataclasses import dataclass

from bongsu.mixins import Database
from bongsu.runtime.networks import client_network
from bongsu_auth.accounts.limits import count_within_hour
from bongsu_auth.errors import TooManyAuthorizations
from bongsu_auth.sessions.limits import subject_of


@dataclass(frozen=True, slots=True)
class AuthorizationLimit:
    """Counts sign-ins that start, by the client's network. All replicas share the counters."""

    database: Database
    per_hour: int

    async def count(self, address: str | None) -> None:
        """Count one. Commits by itself: call it outside of a unit of work.

        :raises TooManyAuthorizations: the limit is reached; the request is not counted.
        """
        subject = subject_of("authorize", client_network(address))
        wait = await self.database.run(count_within_hour, subject, self.per_hour)
        if wait:
            raise TooManyAuthorizations(retry_after_s=wait.total_seconds())
