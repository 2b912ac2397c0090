"""The port over HTTP."""

from pydantic import JsonValue

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.security.port import NewToken
from bongsu_dashboard.upstream import Upstream


class HttpCredentialClient:
    """Implements `CredentialClient`; see there."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def forget_password(self, browser: Browser, email: str) -> None:
        await self._auth.call(browser, "POST", "/auth/password/forgot", body={"email": email})

    async def reset_password(self, browser: Browser, token: str, password: str) -> None:
        await self._auth.call(browser, "POST", "/auth/password/reset", body={"token": token, "password": password})

    async def change_password(self, browser: Browser, current: str | None, new: str) -> None:
        body: dict[str, JsonValue] = {"new": new}
        if current is not None:
            body["current"] = current
        await self._auth.call(browser, "PUT", "/auth/password", body=body)

    async def change_email(self, browser: Browser, email: str) -> None:
        await self._auth.call(browser, "PUT", "/auth/email", body={"email": email})

    async def confirm_email(self, browser: Browser, token: str) -> None:
        await self._auth.call(browser, "POST", "/auth/email/confirm", body={"token": token})

    async def reauthenticate(self, browser: Browser, password: str) -> NewToken:
        reply = await self._auth.call(browser, "POST", "/auth/reauthenticate", body={"password": password})
        return reply.parse(NewToken)
