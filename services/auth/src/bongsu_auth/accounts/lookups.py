"""Look-ups of users by address. Those of the same moment share a statement: sign-ins arrive in bursts."""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import Context
from functools import partial
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, load_only

from bongsu.identity.emails import normalise_email
from bongsu.identity.models import User
from bongsu.mixins import read

# Built once, with what a sign-in reads: the driver takes longer to describe a column than to read its value.
_USERS: Final = (
    select(User)
    .options(
        load_only(User.email_norm, User.hashed_password, User.status, User.email_verified_at, User.mfa_enabled_at),
    )
    .where(User.email_norm.in_(bindparam("addresses", expanding=True)))
)


class AddressLookups:
    """Finds users by address, outside of any unit of work, with the columns that a sign-in reads."""

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
            users = await read(User, None, partial(_read_users, list(chosen)))
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


def _read_users(addresses: Sequence[str], session: Session) -> Mapping[str | None, User]:
    # The mixins would build the statement each time, and read every column.
    return {user.email_norm: user for user in session.scalars(_USERS, {"addresses": addresses})}


def _resolve(waiting: Mapping[str, asyncio.Future[User | None]], users: Mapping[str | None, User]) -> None:
    for email_norm, future in waiting.items():
        if not future.done():
            future.set_result(users.get(email_norm))
