"""Look-ups of users by address. Those of the same moment share a statement: sign-ins arrive in bursts."""

import asyncio
from collections.abc import Mapping
from contextvars import Context

from bongsu.identity.emails import normalise_email
from bongsu.identity.models import User


class AddressLookups:
    """Finds users by address, outside of any unit of work."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[User | None]]] = []
        self._reading: set[asyncio.Task[None]] = set()

    async def find(self, email: str) -> User | None:
        """Return the user with this address, in any spelling of it."""
        try:
            email_norm = normalise_email(email)
        except ValueError:
            return None
        future: asyncio.Future[User | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((email_norm, future))
        if len(self._waiting) == 1:
            self._start()
        return await future

    def _start(self) -> None:
        # In a context of its own: a caller's unit of work is not the statement's.
        task = asyncio.create_task(self._read(), context=Context())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self) -> None:
        chosen = self._choose()
        try:
            users = {user.email_norm: user for user in await User.filter_by(email_norm__in=list(chosen)).all()}
            _resolve(chosen, users)
        except Exception as error:  # noqa: BLE001 - it is the callers'
            for future in chosen.values():
                if not future.done():
                    future.set_exception(error)
        finally:
            for future in chosen.values():
                future.cancel()  # nothing, where it has its result

    def _choose(self) -> dict[str, asyncio.Future[User | None]]:
        """Return one look-up of each address: callers do not share an object, which each of them may change."""
        chosen, left = dict[str, asyncio.Future[User | None]](), []
        for email_norm, future in self._waiting:
            if chosen.setdefault(email_norm, future) is not future:
                left.append((email_norm, future))
        self._waiting = left
        if left:
            self._start()
        return chosen


def _resolve(waiting: Mapping[str, asyncio.Future[User | None]], users: Mapping[str | None, User]) -> None:
    for email_norm, future in waiting.items():
        if not future.done():
            future.set_result(users.get(email_norm))
