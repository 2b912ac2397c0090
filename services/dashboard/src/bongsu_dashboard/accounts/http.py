"""The accounts port over auth's HTTP API."""

from uuid import UUID

from pydantic import JsonValue

from bongsu.runtime.errors import ServiceError
from bongsu_dashboard.accounts.port import Cookies
from bongsu_dashboard.accounts.user import Identity, Session, User
from bongsu_dashboard.browser import Browser, Departure
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


class HttpAccounts:
    """Fulfils `Accounts`."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def me(self, browser: Browser) -> User:
        """Whoever is signed in."""
        return (await self._auth.call(browser, "GET", "/auth/me")).parsed(User)

    async def update(self, browser: Browser, changes: dict[str, str | None]) -> User:
        """Change one's own account."""
        return (await self._auth.call(browser, "PATCH", "/auth/me", body={**changes})).parsed(User)

    async def register(self, browser: Browser, *, email: str, password: str, name: str | None) -> Cookies:
        """Sign up."""
        body: dict[str, JsonValue] = {"email": email, "password": password, "locale": browser.language}
        if name:
            body["name"] = name
        return (await self._auth.call(browser, "POST", "/auth/register", body=body)).cookies

    async def resend(self, browser: Browser, email: str) -> None:
        """Send the mail of a sign-up again."""
        await self._auth.call(browser, "POST", "/auth/verify/resend", body={"email": email})

    async def verify(self, browser: Browser, token: str, password: str | None) -> Cookies:
        """Prove an address."""
        body: dict[str, JsonValue] = {"token": token}
        if password is not None:
            body["password"] = password
        return (await self._auth.call(browser, "POST", "/auth/verify", body=body)).cookies

    async def sign_in(self, browser: Browser, *, email: str, password: str) -> Cookies:
        """Sign in with a password."""
        reply = await self._auth.call(
            browser, "POST", "/auth/login", query={"cookie": "true"}, body={"email": email, "password": password}
        )
        return reply.cookies

    async def sign_out(self, browser: Browser) -> Cookies:
        """End this browser's session."""
        return (await self._auth.call(browser, "POST", "/auth/logout")).cookies

    async def sessions(self, browser: Browser) -> list[Session]:
        """Where the user is signed in."""
        return (await self._auth.call(browser, "GET", "/auth/sessions")).parsed(_Sessions).items

    async def end_session(self, browser: Browser, session_id: UUID) -> None:
        """Sign out somewhere else."""
        await self._auth.call(browser, "DELETE", f"/auth/sessions/{session_id}")

    async def end_other_sessions(self, browser: Browser) -> None:
        """Sign out everywhere but here."""
        await self._auth.call(browser, "DELETE", "/auth/sessions")

    async def identities(self, browser: Browser) -> list[Identity]:
        """The accounts at providers by which the user can sign in."""
        return (await self._auth.call(browser, "GET", "/auth/identities")).parsed(_Identities).items

    async def link(self, browser: Browser, provider: str, next_path: str) -> Departure:
        """Where the browser has to go to link an account."""
        reply = await self._auth.call(browser, "POST", f"/auth/identities/{provider}/link", body={"next": next_path})
        return Departure(reply.parsed(_Link).authorization_url, reply.cookies)

    async def reauthenticate(self, browser: Browser, password: str) -> None:
        """Prove once more who is signed in."""
        await self._auth.call(browser, "POST", "/auth/reauthenticate", body={"password": password})

    async def providers(self) -> tuple[str, ...]:
        """The OAuth providers that are configured."""
        try:
            found = (await self._auth.call(Browser(), "GET", "/auth/providers")).parsed(_Providers)
        except ServiceError:
            # The page with the password form is of use without them.
            return ()
        return tuple(item.name for item in found.items)
