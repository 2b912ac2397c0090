"""The port to auth: the accounts of others."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from bongsu.identity.scopes import Role
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.upstream import Received


class Account(Received):
    """An account, as managers see it."""

    id: UUID
    email: str | None
    name: str | None
    role: Role
    status: str
    sending: str
    mfa_enabled: bool
    created_at: datetime

    @property
    def display_name(self) -> str:
        """The name, or the address."""
        return self.name or self.email or str(self.id)


class AccountPage(Received):
    """Accounts, newest first."""

    items: list[Account]
    next: str | None


class UserClient(Protocol):
    """Auth's API for managers. Every method raises ServiceDown while auth does not answer, Forbidden for others."""

    async def list_accounts(self, browser: Browser, *, q: str | None, after: str | None) -> AccountPage:
        """List accounts whose address begins with `q`."""

    async def find_account(self, browser: Browser, user_id: UUID) -> Account:
        """Return an account.

        :raises NotFound: no account has this ID.
        """

    async def change_account(self, browser: Browser, user_id: UUID, changes: dict[str, str]) -> None:
        """Change `status`, `role` or `sending` of an account.

        :raises NotFound: no account has this ID.
        :raises Forbidden: the caller's role does not include the change.
        :raises Conflict: it is the caller's own account.
        """

    async def reset_second_factor(self, browser: Browser, user_id: UUID) -> None:
        """Turn off an account's second factor.

        :raises NotFound: no account has this ID.
        :raises Forbidden: the caller is no administrator, or has not authenticated recently.
        :raises Conflict: it is not on, or it is the caller's own account.
        """
