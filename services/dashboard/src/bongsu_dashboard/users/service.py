"""User administration at auth."""

from uuid import UUID

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.users.port import Account, AccountPage, UserClient


class Users:
    """Finds and changes accounts."""

    def __init__(self, client: UserClient) -> None:
        self._client = client

    async def list_accounts(self, browser: Browser, *, q: str | None, after: str | None) -> AccountPage:
        return await self._client.list_accounts(browser, q=q, after=after)

    async def find_account(self, browser: Browser, user_id: UUID) -> Account:
        """Return an account.

        :raises NotFound: no account has this ID.
        """
        return await self._client.find_account(browser, user_id)

    async def change_account(self, browser: Browser, user_id: UUID, changes: dict[str, str]) -> None:
        """Change an account.

        :raises NotFound, Forbidden, Conflict: as the port does.
        """
        await self._client.change_account(browser, user_id, changes)

    async def reset_second_factor(self, browser: Browser, user_id: UUID) -> None:
        """Turn off an account's second factor.

        :raises NotFound, Forbidden, Conflict: as the port does.
        """
        await self._client.reset_second_factor(browser, user_id)
