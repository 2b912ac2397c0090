"""The accounts that sign in, with all that opening their sessions depends on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bongsu.identity.models import User, UserSession


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a user signed in.

    :param provider: None for a password.
    :param known_device: the browser has shown that the user signed in from it before.
    """

    amr: tuple[str, ...]
    address: str | None
    user_agent: str | None
    provider: str | None = None
    known_device: bool = False

    @property
    def device(self) -> tuple[str | None, str | None]:
        """User-Agent and address."""
        return self.user_agent, self.address

    @property
    def details(self) -> Mapping[str, str]:
        """For the audit log."""
        return {"how": " ".join(self.amr)} | ({"provider": self.provider} if self.provider is not None else {})


@dataclass(frozen=True, slots=True)
class Account:
    """The account that signs in, as it is when the session opens.

    In the order of `_ACCOUNTS`'s columns, then `_HISTORIES`'s.
    """

    id: UUID
    hashed_password: str
    role: str
    status: str
    mfa_enabled_at: datetime | None
    tokens_denied_until: int
    open_sessions: int
    has_sessions: bool
    """Of any state."""
    knows_device: bool
    """One of them has this User-Agent and address."""

    @property
    def is_new_device(self) -> bool:
        """Whether the user signed in before, and never with this User-Agent from this address."""
        return self.has_sessions and not self.knows_device

    def may_open(self, checked: User, how: SignIn) -> bool:
        """Whether nothing has changed since the sign-in began that forbids the session."""
        is_same = "pwd" not in how.amr or self.hashed_password == checked.hashed_password
        return self.status == "active" and is_same and (self.mfa_enabled_at is None or "mfa" in how.amr)


_USERS, _SESSIONS = User.__table__, UserSession.__table__
_BY_ID = "FORCE INDEX (PRIMARY)"


def _sessions_of_user(*where: ColumnElement[bool]) -> Select[UUID]:
    return select(_SESSIONS.c.id).where(_SESSIONS.c.user_id == _USERS.c.id, *where).correlate(_USERS)


_ACCOUNTS = (
    select(
        _USERS.c.id,
        _USERS.c.hashed_password,
        _USERS.c.role,
        _USERS.c.status,
        _USERS.c.mfa_enabled_at,
        _USERS.c.tokens_denied_until,
    )
    .where(_USERS.c.id.in_(bindparam("user_ids", expanding=True)))
    .order_by(_USERS.c.id)
    # Exclusive: of concurrent sign-ins of one user, each counts the sessions of those before.
    .with_for_update()
    # Without it, MySQL scans a small table, and locks all of it.
    .with_hint(_USERS, _BY_ID, "mysql")
    .with_hint(_USERS, _BY_ID, "mariadb")
)
_HISTORIES = select(
    _USERS.c.id,
    _sessions_of_user(_SESSIONS.c.ended_at.is_(None)).with_only_columns(func.count()).scalar_subquery(),
    _sessions_of_user().exists(),
    _sessions_of_user(
        _SESSIONS.c.user_agent.is_not_distinct_from(bindparam("user_agent")),
        _SESSIONS.c.address.is_not_distinct_from(bindparam("address")),
    ).exists(),
).where(_USERS.c.id.in_(bindparam("user_ids", expanding=True)))


async def read_accounts(session: AsyncSession, sign_ins: Sequence[tuple[UUID, SignIn]]) -> Sequence[Account | None]:
    """Read the accounts of sign-ins, and keep them as they are until the transaction ends.

    Returns one for each sign-in, in order; None for a user who does not exist.
    """
    user_ids = sorted({user_id for user_id, _ in sign_ins})
    # Built once: with the mixins, a sign-in would take several statements, each built every time.
    accounts = {user_id: rest for user_id, *rest in await session.execute(_ACCOUNTS, {"user_ids": user_ids})}
    devices = defaultdict[tuple[str | None, str | None], set[UUID]](set)
    for user_id, how in sign_ins:
        devices[how.device].add(user_id)
    # After the locks: REPEATABLE READ shows what was committed before the first statement that locks nothing.
    histories = {}
    for (user_agent, address), users in devices.items():
        parameters = {"user_ids": sorted(users), "user_agent": user_agent, "address": address}
        # Built once, as the other, and bound to the columns of one device.
        for user_id, *rest in await session.execute(_HISTORIES, parameters):
            histories[user_id, user_agent, address] = rest
    return [
        Account(user_id, *accounts[user_id], *histories[user_id, *how.device]) if user_id in accounts else None
        for user_id, how in sign_ins
    ]
