"""The port over HTTP."""

from pydantic import JsonValue

from bongsu_dashboard.accounts.port import Cookies
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.security.port import AppSecret, NewToken, SecondFactor
from bongsu_dashboard.upstream import Received, Upstream


class _RecoveryCodes(Received):
    recovery_codes: list[str]


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

    async def reauthenticate(self, browser: Browser, password: str | None, code: str | None) -> NewToken:
        body = {name: value for name, value in (("password", password), ("code", code)) if value is not None}
        return (await self._auth.call(browser, "POST", "/auth/reauthenticate", body=body)).parse(NewToken)

    async def delete_account(self, browser: Browser) -> None:
        await self._auth.call(browser, "DELETE", "/auth/me")

    async def verify_code(self, browser: Browser, code: str) -> Cookies:
        reply = await self._auth.call(
            browser, "POST", "/auth/mfa/verify", query={"cookie": "true"}, body={"code": code}
        )
        return reply.cookies

    async def show_second_factor(self, browser: Browser) -> SecondFactor:
        return (await self._auth.call(browser, "GET", "/auth/mfa/totp")).parse(SecondFactor)

    async def start_second_factor(self, browser: Browser) -> AppSecret:
        return (await self._auth.call(browser, "POST", "/auth/mfa/totp")).parse(AppSecret)

    async def enable_second_factor(self, browser: Browser, code: str) -> list[str]:
        reply = await self._auth.call(browser, "POST", "/auth/mfa/totp", body={"code": code})
        return reply.parse(_RecoveryCodes).recovery_codes

    async def replace_recovery_codes(self, browser: Browser) -> list[str]:
        reply = await self._auth.call(browser, "POST", "/auth/mfa/recovery-codes")
        return reply.parse(_RecoveryCodes).recovery_codes

    async def disable_second_factor(self, browser: Browser) -> None:
        await self._auth.call(browser, "DELETE", "/auth/mfa/totp")
