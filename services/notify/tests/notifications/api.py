"""The API from outside: signed requests in, stored notifications out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from bongsu.broker import Broker
from bongsu.identity.callers import Identity
from bongsu.identity.models import User
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.signatures import RequestSigner
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, utc_now
from bongsu.runtime.dependencies import find
from bongsu_notify.app import create_app
from bongsu_notify.settings import NotifySettings
from services.notify.tests.keys import make_key

URL = "http://localhost:8000"
BODY = {
    "channel": "email",
    "to": {"email": "someone@example.com", "name": "받는 이"},
    "content": {"subject": "안녕하세요 🔥", "text": "봉수가 올랐습니다"},
}


@dataclass
class Api:
    """The app, and users to call it."""

    app: FastAPI
    vault: Vault

    def client(self, signer: RequestSigner | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=URL, auth=signer)

    async def user(self, email: str, **values: object) -> User:
        given: dict[str, object] = {"email_norm": email, "email_verified_at": utc_now(), "sending": "live"}
        user = User(**(given | values))
        await user.save()
        return await user.refresh()

    async def client_of(self, email: str, **values: object) -> httpx.AsyncClient:
        return self.client(await make_key(await self.user(email, **values), self.vault))

    def forget_keys(self) -> None:
        """Drop the cached keys and owners, as some seconds later."""
        find(self.app, Identity).keys._found.clear()


async def serve_api(database: Database, vault: Vault, broker: Broker | None = None) -> AsyncIterator[Api]:
    identity = Identity(vault=vault, public_url=URL, revocations=RevocationFeed(stale_after_s=60))
    app = create_app(settings=NotifySettings(), identity=identity, database=database, broker=broker)
    async with app.router.lifespan_context(app):
        yield Api(app, vault)
