"""The port over HTTP."""

from uuid import UUID

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.upstream import Upstream
from bongsu_dashboard.users.port import Account, AccountPage

PAGE = "25"


class HttpUserClient:
    """Implements `UserClient`; see there."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def list_accounts(self, browser: Browser, *, q: str | None, after: str | None) -> AccountPage:
        query = {"limit": PAGE} | ({"q": q} if q else {}) | ({"after": after} if after else {})
        return (await self._auth.call(browser, "GET", "/auth/users", query=query)).parse(AccountPage)

    async def find_account(self, browser: Browser, user_id: UUID) -> Account:
        return (await self._auth.call(browser, "GET", f"/auth/users/{user_id}")).parse(Account)

    async def change_account(self, browser: Browser, user_id: UUID, changes: dict[str, str]) -> None:
        await self._auth.call(browser, "PATCH", f"/auth/users/{user_id}", body={**changes})

    async def reset_second_factor(self, browser: Browser, user_id: UUID) -> None:
        await self._auth.call(browser, "DELETE", f"/auth/users/{user_id}/mfa")
