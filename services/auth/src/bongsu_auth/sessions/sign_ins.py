"""Sign-ins with a password. Those that arrive together share a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from bongsu.identity.models import User
from bongsu.mixins import Database, GroupCommit
from bongsu_auth.errors import AccountBlocked
from bongsu_auth.sessions.account import SignIn
from bongsu_auth.sessions.counters import Reservation
from bongsu_auth.sessions.limits import GuessLimits
from bongsu_auth.sessions.service import Sessions, Tokens


@dataclass(frozen=True, slots=True)
class PasswordSignIn:
    """A user whose password was right, and the guess that it was counted as."""

    user: User
    how: SignIn
    guess: Reservation


class PasswordSignIns:
    """Opens sessions after right passwords, and takes the guesses off the counters."""

    def __init__(self, database: Database, sessions: Sessions, limits: GuessLimits) -> None:
        self._sessions = sessions
        self._limits = limits
        self._commits: GroupCommit[PasswordSignIn, Tokens] = GroupCommit(database, self._open)

    async def open(self, sign_in: PasswordSignIn) -> Tokens:
        """Open a session, and return its tokens once it is committed. Call it outside of a unit of work.

        :raises AccountBlocked: the user was blocked or deleted, or the password replaced, in the meantime.
        """
        return await self._commits.submit(sign_in)

    async def close(self) -> None:
        """Wait for transactions in flight."""
        await self._commits.close()

    async def _open(self, sign_ins: Sequence[PasswordSignIn]) -> Sequence[Tokens | AccountBlocked]:
        opened = await self._sessions.open_all([(each.user, each.how) for each in sign_ins])
        right = [each.guess for each, tokens in zip(sign_ins, opened, strict=True) if isinstance(tokens, Tokens)]
        if right:
            # Last in the unit of work, because many sign-ins share the counters of a network.
            await self._limits.release(*right)
        return opened
