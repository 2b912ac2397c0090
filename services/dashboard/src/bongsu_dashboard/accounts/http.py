"""The auth port over HTTP."""

from uuid import UUID

from pydantic import JsonValue

from bongsu_dashboard.accounts.port import Cookies
from bongsu_dashboard.accounts.user import Identity, Session, User
from bongsu_dashboard.browser import Browser, Redirect
from bongsu_dashboard.upstream import Received, Upstream


class _Sessions(Received):
    items: list[Session]


class _Identities(Received):
    items: list[Identity]


class _Link(Received):
    authorization_url: str


class _Provider(Received):
    name: str


class _Providers(Received):
    items: list[_Provider]


class HttpAuthClient:
    """Implements `AuthClient`; see there."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def me(self, browser: Browser) -> User:
        """GET /auth/me"""
        return (await self._auth.call(browser, "GET", "/auth/me")).parse(User)

    async def update(self, browser: Browser, changes: dict[str, str | None]) -> User:
        """PATCH /auth/me"""
        return (await self._auth.call(browser, "PATCH", "/auth/me", body={**changes})).parse(User)

    async def register(self, browser: Browser, *, email: str, password: str, name: str | None) -> Cookies:
        """POST /auth/register"""
        body: dict[str, JsonValue] = {"email": email, "password": password, "locale": browser.language}
        if name:
            body["name"] = name
        return (await self._auth.call(browser, "POST", "/auth/register", body=body)).cookies

    async def resend(self, browser: Browser, email: str) -> None:
        """POST /auth/verify/resend"""
        await self._auth.call(browser, "POST", "/auth/verify/resend", body={"email": email})

    async def verify(self, browser: Browser, token: str, password: str | None) -> Cookies:
        """POST /auth/verify"""
        body: dict[str, JsonValue] = {"token": token}
        if password is not None:
            body["password"] = password
        return (await self._auth.call(browser, "POST", "/auth/verify", body=body)).cookies

    async def sign_in(self, browser: Browser, *, email: str, password: str) -> Cookies:
        """POST /auth/login?cookie=true"""
        reply = await self._auth.call(
            browser, "POST", "/auth/login", query={"cookie": "true"}, body={"email": email, "password": password}
        )
        return reply.cookies

    async def sign_out(self, browser: Browser) -> Cookies:
        """POST /auth/logout"""
        return (await self._auth.call(browser, "POST", "/auth/logout")).cookies

    async def sessions(self, browser: Browser) -> list[Session]:
        """GET /auth/sessions"""
        return (await self._auth.call(browser, "GET", "/auth/sessions")).parse(_Sessions).items

    async def end_session(self, browser: Browser, session_id: UUID) -> None:
        """DELETE /auth/sessions/{id}"""
        await self._auth.call(browser, "DELETE", f"/auth/sessions/{session_id}")

    async def end_other_sessions(self, browser: Browser) -> None:
        """DELETE /auth/sessions"""
        await self._auth.call(browser, "DELETE", "/auth/sessions")

    async def identities(self, browser: Browser) -> list[Identity]:
        """GET /auth/identities"""
        return (await self._auth.call(browser, "GET", "/auth/identities")).parse(_Identities).items

    async def link(self, browser: Browser, provider: str, next_path: str) -> Redirect:
        """POST /auth/identities/{provider}/link"""
        reply = await self._auth.call(browser, "POST", f"/auth/identities/{provider}/link", body={"next": next_path})
        return Redirect(reply.parse(_Link).authorization_url, reply.cookies)

    async def reauthenticate(self, browser: Browser, password: str) -> None:
        """POST /auth/reauthenticate"""
        await self._auth.call(browser, "POST", "/auth/reauthenticate", body={"password": password})

    async def providers(self) -> tuple[str, ...]:
        """GET /auth/providers"""
        found = (await self._auth.call(Browser(), "GET", "/auth/providers")).parse(_Providers)
        return tuple(item.name for item in found.items)
