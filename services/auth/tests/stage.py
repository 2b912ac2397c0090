"""auth as its clients see it: the real app over HTTP, and the mails that it would send."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from bongsu.contracts.jobs import NotificationJob, variables_context
from bongsu.contracts.queues import NOTIFY_JOBS
from bongsu.identity.callers import Identity
from bongsu.identity.models import User
from bongsu.identity.scopes import Role
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.models import OutboxMessage
from bongsu.runtime.dependencies import find
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.accounts.passwords import OWASP_MINIMUM
from bongsu_auth.accounts.schemas import UserCreate
from bongsu_auth.oauth.backend import Backends
from bongsu_auth.oauth.grants import Grants
from bongsu_auth.oauth.service import Flows
from services.auth.tests.providers import Person, Providers
from tests.fake import Fake

URL = "http://localhost:8000"
APP = "https://app.example"
"""An origin whose pages may call the API."""
PASSWORD = "correct horse battery"
REAL_COST = pytest.mark.parametrize("argon2", [OWASP_MINIMUM], ids=["real cost"])


@dataclass(frozen=True)
class Mail:
    """A mail in the outbox."""

    template: str
    to: str
    locale: str
    link: str
    event: str = ""
    subject: str = ""

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.link).query)["token"][0]


@dataclass
class Notifications:
    """Notify: `pages` are its answers, `tokens` who asked."""

    pages: list[list[dict[str, str]]] = field(default_factory=lambda: [[]])
    tokens: list[str] = field(default_factory=list)
    down: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down")
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        at = int(request.url.params.get("after", "0"))
        following = str(at + 1) if at + 1 < len(self.pages) else None
        return httpx.Response(200, json={"items": self.pages[at], "next": following})


@dataclass
class Stage:
    """The app, its database and its providers. `make_app` makes another instance on the same database."""

    app: FastAPI
    client: httpx.AsyncClient
    database: Database
    vault: Vault
    providers: Providers
    fake: Fake
    make_app: Callable[[], FastAPI]
    notifications: Notifications = field(default_factory=Notifications)

    @property
    def identity(self) -> Identity:
        return find(self.app, Identity)

    @property
    def users(self) -> UserManager:
        return find(self.app, UserManager)

    @property
    def backends(self) -> Backends:
        return find(self.app, Backends)

    @property
    def flows(self) -> Flows:
        return find(self.app, Flows)

    @property
    def grants(self) -> Grants:
        return find(self.app, Grants)

    def browser(self, *, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """Return a new client, with its own cookies."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app, client=(address, 1)), base_url=URL)

    @contextlib.asynccontextmanager
    async def two_instances(self) -> AsyncIterator[list[httpx.AsyncClient]]:
        """Yield a client of the app, and one of another instance on the same database."""
        app = self.make_app()
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client,
        ):
            yield [self.client, client]

    def new_address(self) -> str:
        return self.fake.mail_address()

    async def mails(self) -> list[Mail]:
        """Return the mails in the outbox, oldest first."""
        found = []
        for row in await OutboxMessage.filter_by(queue=NOTIFY_JOBS).order_by("id").all():
            job = NotificationJob.model_validate(row.body)
            variables = json.loads(self.vault.open(job.sealed_variables, aad=variables_context(job.id)))
            found.append(
                Mail(
                    job.template,
                    job.to.email,
                    job.locale,
                    variables["link"],
                    event=variables.get("event", ""),
                    subject=variables.get("subject", ""),
                )
            )
        return found

    async def notices(self, event: str) -> list[Mail]:
        """Return the security notices about an event in the outbox, oldest first."""
        return [mail for mail in await self.mails() if mail.event == event]

    async def register(self, email: str, password: str = PASSWORD, **more: object) -> httpx.Response:
        async with self.browser() as browser:
            return await browser.post("/auth/register", json={"email": email, "password": password, **more})

    async def user(self, email: str | None = None, *, role: Role = Role.USER) -> User:
        """Create a user with a verified address."""
        given = {"email": email or self.new_address(), "password": PASSWORD, "role": role, "sending": "live"}
        return await self.users.create(UserCreate(**given, is_verified=True))

    async def login(self, email: str, password: str = PASSWORD) -> httpx.Response:
        async with self.browser() as browser:
            return await browser.post("/auth/login", json={"email": email, "password": password})

    async def sent_back(
        self, browser: httpx.AsyncClient, provider: str, person: Person, *, next_path: str | None = None
    ) -> str:
        """Send a browser to the provider, where the person agrees. Returns the callback URL."""
        query = {"next": next_path} if next_path is not None else {}
        begun = await browser.get(f"/auth/oauth/{provider}/authorize", params=query)
        assert begun.status_code == 303, begun.text
        return self.providers.allow(begun.headers["location"], person)

    async def sign_in_with(
        self, provider: str, person: Person, *, browser: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        """Sign in with a provider. Returns the response of the callback."""
        async with contextlib.AsyncExitStack() as stack:
            used = browser if browser is not None else await stack.enter_async_context(self.browser())
            return await used.get(await self.sent_back(used, provider, person))

    @contextlib.asynccontextmanager
    async def signed_in_browser(self, user: User) -> AsyncIterator[httpx.AsyncClient]:
        """Yield a browser with the cookies of a new session."""
        async with self.browser() as browser:
            answer = await browser.post("/auth/login?cookie=true", json={"email": user.email, "password": PASSWORD})
            assert answer.status_code == 200
            yield browser

    async def signed_in(self, user: User) -> dict[str, str]:
        """Return headers with the access token of a new session."""
        return bearer((await self.login(user.email)).json()["access_token"])


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def error_fields(response: httpx.Response) -> list[str]:
    """Return the fields that a 422 names."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    return [".".join(str(part) for part in error["loc"]) for error in response.json()["errors"]]


def parsed_id(response: httpx.Response) -> UUID:
    return UUID(response.json()["id"])
