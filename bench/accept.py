"""`POST /v1/notifications`, signed and idempotent, against a bare handler that does the same INSERTs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
from fastapi import FastAPI
from pydantic import BaseModel

from bench.calling import Call, json_bytes, post, run_concurrently
from bench.databases import MakeDatabase, has_mysql, mysql, sqlite
from bench.measure import Benchmark, Clock, Pair, at_least
from bongsu.broker import Broker
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.models import RequestNonce
from bongsu.identity.signatures import RequestSigner
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu.outbox.models import OutboxMessage
from bongsu_auth import operations as auth_operations
from bongsu_notify.app import create_app
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.settings import NotifySettings

URL = "http://localhost:8000"
PATH = "/v1/notifications"
BODY = json_bytes(
    {
        "channel": "email",
        "to": {"email": "a@example.com", "name": "봉수"},
        "content": {"subject": "The beacons are lit", "text": "봉화가 올랐다", "html": "<p>봉화가 올랐다</p>"},
    }
)


class To(BaseModel):
    email: str
    name: str | None = None


class Content(BaseModel):
    subject: str
    text: str | None = None
    html: str | None = None


class Body(BaseModel):
    channel: str
    to: To
    content: Content


def bare(database: Database) -> FastAPI:
    """The baseline: an endpoint that checks no signature, and only the types of the body."""
    app = FastAPI()

    @app.post(PATH, status_code=202)
    async def submit(body: Body) -> dict[str, str]:
        now, key = datetime.now(UTC), uuid7().hex
        made = Notification(
            principal="bare",
            idempotency_key=key,
            fingerprint=key,
            channel=body.channel,
            recipient=body.to.email,
            to=body.to.model_dump(),
            subject=body.content.subject,
            content={"text": body.content.text, "html": body.content.html},
        )
        async with database.session() as session, session.begin():
            session.add(RequestNonce(digest=key, expires_at=now + timedelta(minutes=2)))
            session.add(made)
            session.add(NotificationEvent(notification_id=made.id, status="accepted"))
            session.add(
                OutboxMessage(
                    lane=1,
                    queue="bare",
                    body={"notification_id": str(made.id)},
                    headers={},
                    visible_at=now + timedelta(days=1),  # not due: no relay of another benchmark takes it
                    attempts=0,
                    strandings=0,
                )
            )
        return {"id": str(made.id), "status": made.status}

    return app


@asynccontextmanager
async def accepting(make_database: MakeDatabase) -> AsyncIterator[Pair]:
    """Both sides are sent the same signed requests, on one database."""
    async with make_database() as database, accept_on(database, NotifySettings()) as pair:
        yield pair


@asynccontextmanager
async def accept_on(database: Database, settings: NotifySettings, broker: Broker | None = None) -> AsyncIterator[Pair]:
    """Notify's API and the bare handler.

    :param broker: where ours publishes what it accepted.
    """
    vault = Vault.parse(Vault.new_key())
    await ensure_signing_key(vault)
    await auth_operations.create_user(database, "a@example.com", "correct horse battery")
    key, secret = await auth_operations.create_key(database, vault, URL, "a@example.com")
    await OutboxMessage.filter_by().unfiltered().delete()  # the notice of the new key, a mail that no operation sends
    signer = RequestSigner(key.access_key, secret)
    identity = Identity(vault=vault, public_url=URL)
    app = create_app(settings=settings, identity=identity, database=database, broker=broker)
    plain = bare(database)

    def call() -> Call:
        request = httpx.Request("POST", URL + PATH, content=BODY, headers={"Idempotency-Key": uuid7().hex})
        signer.sign(request)
        wanted = ("signature", "signature-input", "content-digest", "idempotency-key")
        return Call(PATH, BODY, [(name.encode(), request.headers[name].encode()) for name in wanted])

    async def ours(operations: int) -> None:
        await run_concurrently(operations, lambda _: post(app, call(), expects=202))

    async def baseline(operations: int) -> None:
        await run_concurrently(operations, lambda _: post(plain, call(), expects=202))

    async with app.router.lifespan_context(app):
        yield Pair(ours, baseline)


BENCHMARKS = (
    Benchmark("accept: SQLite", lambda: accepting(sqlite), None, Clock.WALL, round_s=1.0),
    *([Benchmark("accept: MySQL", lambda: accepting(mysql), at_least(1.0), Clock.WALL, round_s=1.0)] * has_mysql()),
)
