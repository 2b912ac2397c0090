"""The auth port over HTTP."""

from typing import Generic, TypeVar
from uuid import UUID

from pydantic import JsonValue

from bongsu_dashboard.accounts.port import Cookies, SignInReply
from bongsu_dashboard.accounts.user import EventPage, Identity, Session, User
from bongsu_dashboard.browser import Browser, Redirect
from bongsu_dashboard.upstream import Received, Upstream

T = TypeVar("T")


class _Items(Received, Generic[T]):
    items: list[T]


class _Link(Received):
    authorization_url: str


class _SignedIn(Received):
    mfa_required: bool = False


class _Provider(Received):
    name: str


class HttpAuthClient:
    """Implements `AuthClient`; see there."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def me(self, browser: Browser) -> User:
        return (await self._auth.call(browser, "GET", "/auth/me")).parse(User)

    async def update(self, browser: Browser, changes: dict[str, str | None]) -> User:
        return (await self._auth.call(browser, "PATCH", "/auth/me", body={**changes})).parse(User)

    async def register(self, browser: Browser, *, email: str, password: str, name: str | None) -> Cookies:
        body: dict[str, JsonValue] = {"email": email, "password": password, "locale": browser.language}
        if name:
            body["name"] = name
        return (await self._auth.call(browser, "POST", "/auth/register", body=body)).cookies

    async def resend(self, browser: Browser, email: str) -> None:
        await self._auth.call(browser, "POST", "/auth/verify/resend", body={"email": email})

    async def verify(self, browser: Browser, token: str, password: str | None) -> Cookies:
        body: dict[str, JsonValue] = {"token": token}
        if password is not None:
            body["password"] = password
        return (await self._auth.call(browser, "POST", "/auth/verify", body=body)).cookies

    async def sign_in(self, browser: Browser, *, email: str, password: str) -> SignInReply:
        reply = await self._auth.call(
            browser, "POST", "/auth/login", query={"cookie": "true"}, body={"email": email, "password": password}
        )
        return SignInReply(reply.cookies, asks_code=reply.parse(_SignedIn).mfa_required)

    async def sign_out(self, browser: Browser) -> Cookies:
        return (await self._auth.call(browser, "POST", "/auth/logout")).cookies

    async def sessions(self, browser: Browser) -> list[Session]:
        return (await self._auth.call(browser, "GET", "/auth/sessions")).parse(_Items[Session]).items

    async def events(self, browser: Browser, *, limit: int, after: UUID | None) -> EventPage:
        query = {"about_me": "true", "limit": str(limit)} | ({"after": str(after)} if after else {})
        return (await self._auth.call(browser, "GET", "/auth/audit", query=query)).parse(EventPage)

    async def end_session(self, browser: Browser, session_id: UUID) -> None:
        await self._auth.call(browser, "DELETE", f"/auth/sessions/{session_id}")

    async def end_other_sessions(self, browser: Browser) -> None:
        await self._auth.call(browser, "DELETE", "/auth/sessions")

    async def identities(self, browser: Browser) -> list[Identity]:
        return (await self._auth.call(browser, "GET", "/auth/identities")).parse(_Items[Identity]).items

    async def link(self, browser: Browser, provider: str, next_path: str) -> Redirect:
        reply = await self._auth.call(browser, "POST", f"/auth/identities/{provider}/link", body={"next": next_path})
        return Redirect(reply.parse(_Link).authorization_url, reply.cookies)

    async def unlink(self, browser: Browser, provider: str) -> None:
        await self._auth.call(browser, "DELETE", f"/auth/identities/{provider}")

    async def providers(self) -> tuple[str, ...]:
        found = (await self._auth.call(Browser(), "GET", "/auth/providers")).parse(_Items[_Provider])
        return tuple(item.name for item in found.items)
