"""The account that signs in, with all that opening its session depends on."""

from collections.abc import Mapping
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
    def details(self) -> Mapping[str, str]:
        """For the audit log."""
        return {"how": " ".join(self.amr)} | ({"provider": self.provider} if self.provider is not None else {})


@dataclass(frozen=True, slots=True)
class Account:
    """The account that signs in, as it is when the session opens. In the order of `_ACCOUNT`'s columns."""

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


_USERS, _SESSIONS = User.__table__.c, UserSession.__table__.c


def _sessions_of_user(*where: ColumnElement[bool]) -> Select[UUID]:
    return select(_SESSIONS.id).where(_SESSIONS.user_id == _USERS.id, *where).correlate(User.__table__)


_ACCOUNT = (
    select(
        _USERS.id,
        _USERS.hashed_password,
        _USERS.role,
        _USERS.status,
        _USERS.mfa_enabled_at,
        _USERS.tokens_denied_until,
        _sessions_of_user(_SESSIONS.ended_at.is_(None)).with_only_columns(func.count()).scalar_subquery(),
        _sessions_of_user().exists(),
        _sessions_of_user(
            _SESSIONS.user_agent.is_not_distinct_from(bindparam("user_agent")),
            _SESSIONS.address.is_not_distinct_from(bindparam("address")),
        ).exists(),
    )
    .where(_USERS.id == bindparam("user_id"))
    # Exclusive: of concurrent sign-ins of one user, each counts the sessions of those before.
    .with_for_update()
)
"""One statement, built once: it is half of what a sign-in reads."""


async def read_account(session: AsyncSession, user_id: UUID, how: SignIn) -> Account | None:
    """Read an account, and keep it as it is until the transaction ends. Returns None if it does not exist."""
    parameters = {"user_id": user_id, "user_agent": how.user_agent, "address": how.address}
    # One statement that is built once: with the mixins it would be four.
    row = (await session.execute(_ACCOUNT, parameters)).one_or_none()
    return Account(*row) if row is not None else None
