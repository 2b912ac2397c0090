"""The dashboard over fakes, as a browser sees it."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx
from fastapi import FastAPI

from bongsu_dashboard.app import Ports, create_pages
from bongsu_dashboard.settings import DashboardSettings
from services.dashboard.tests.fake_audit import FakeAudit
from services.dashboard.tests.fake_credentials import FakeCredentials
from services.dashboard.tests.fake_keys import FakeKeys
from services.dashboard.tests.fake_notifications import FakeNotifications
from services.dashboard.tests.fake_subscriptions import FakeSubscriptions
from services.dashboard.tests.fake_users import FakeUsers
from services.dashboard.tests.fakes import MINA, FakeAccounts, FakeBot, FakeDirectory

URL = "http://dashboard.test"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class Stage:
    """The app and what is around it."""

    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    directory: FakeDirectory = field(default_factory=FakeDirectory)
    notifications: FakeNotifications = field(default_factory=FakeNotifications)
    credentials: FakeCredentials = field(default_factory=FakeCredentials)
    users: FakeUsers = field(default_factory=FakeUsers)
    keys: FakeKeys = field(default_factory=FakeKeys)
    audit: FakeAudit = field(default_factory=FakeAudit)
    subscriptions: FakeSubscriptions = field(default_factory=FakeSubscriptions)
    bot: FakeBot = field(default_factory=FakeBot)
    settings: DashboardSettings = field(default_factory=DashboardSettings)

    def app(self, url: str = URL) -> FastAPI:
        ports = Ports(
            auth=self.accounts,
            directory=self.directory,
            notify=self.notifications,
            bot=self.bot,
            credentials=self.credentials,
            users=self.users,
            keys=self.keys,
            audit=self.audit,
            subscriptions=self.subscriptions,
        )
        return create_pages(settings=self.settings, public_url=url, ports=ports)

    def browser(self, token: str | None = None, *, language: str = "ko") -> "FakeBrowser":
        cookies = {"access-80": token} if token is not None else {}
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app(), raise_app_exceptions=False),
            base_url=URL,
            cookies=cookies,
            headers={"Accept-Language": language, "Sec-Fetch-Site": "same-origin"},
        )
        return FakeBrowser(client)

    def speak(self, language: str) -> None:
        """Set the language of every user."""
        users = self.accounts.users
        self.accounts.users = {token: user.model_copy(update={"locale": language}) for token, user in users.items()}

    def mina(self) -> "FakeBrowser":
        return self.browser(MINA)


@dataclass
class FakeBrowser:
    """Gets pages and posts their forms, without scripts, or as htmx does."""

    client: httpx.AsyncClient
    page: str = ""

    async def get(self, path: str, *, htmx: bool = False, follow: bool = False) -> httpx.Response:
        headers = self._htmx() if htmx else {}
        answer = await self.client.get(path, headers=headers, follow_redirects=follow)
        if TOKEN.search(answer.text):
            self.page = answer.text
        return answer

    async def post(
        self,
        path: str,
        fields: dict[str, str | list[str]] | None = None,
        *,
        htmx: bool = False,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        sent = {"csrf_token": self.token if token is None else token, **(fields or {})}
        return await self.client.post(path, data=sent, headers={**(self._htmx() if htmx else {}), **(headers or {})})

    @property
    def token(self) -> str:
        found = TOKEN.search(self.page)
        return found[1] if found else ""

    def _htmx(self) -> dict[str, str]:
        return {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": f"{URL}/guilds?show=all"}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def text_of(html: str) -> str:
    """Return the visible text."""
    parser = _Text()
    parser.feed(html)
    return " ".join(" ".join(parser.words).split())
