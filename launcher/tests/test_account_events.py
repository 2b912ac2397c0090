"""What auth publishes about accounts, and what notify and the bot do, over a real RabbitMQ."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.models import User
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.scopes import Role
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.models import OutboxMessage
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_auth import app as auth
from bongsu_auth import operations
from bongsu_auth.settings import AuthSettings
from bongsu_bot.events.handlers import consuming
from bongsu_bot.history.models import GuildChangeEntry
from bongsu_bot.leave_requests.models import LeaveRequest
from bongsu_launcher.owners import MIGRATIONS
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.settings import NotifySettings
from bongsu_notify.worker import consume
from bongsu_sandbox.running import running
from bongsu_sandbox.settings import SandboxSettings
from launcher.tests.prefixed_broker import PrefixedBroker, delete_queues
from tests.eventually import eventually
from tests.infrastructure.templates import Schema, WithTables

pytestmark = [pytest.mark.amqp, pytest.mark.timeout(180)]

URL = "http://localhost:8000"
PASSWORD = "five beacons at dusk"
TABLES = Schema.migrated("all", *MIGRATIONS)


@dataclass
class Stage:
    """auth, notify's worker and the bot's consumer, which run."""

    auth: httpx.AsyncClient
    database: Database

    async def user(self, email: str, role: Role = Role.USER) -> User:
        return await operations.create_user(self.database, email, PASSWORD, role=role)

    async def signed_in(self, email: str) -> dict[str, str]:
        answer = await self.auth.post("/auth/login", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
async def stage(
    amqp_server_url: str, queue_prefix: str, sqlite_with_tables: WithTables, tmp_path: Path
) -> AsyncIterator[Stage]:
    database, vault = Database(sqlite_with_tables(TABLES)), Vault.parse(Vault.new_key())
    await ensure_signing_key(vault)
    identity = Identity(vault=vault, public_url=URL, revocations=RevocationFeed(stale_after_s=60))
    stop = StopSignal()
    broker = PrefixedBroker(amqp_server_url, queue_prefix)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.dispose)
        sandbox = await stack.enter_async_context(running(SandboxSettings(data_dir=tmp_path)))
        await broker.connect()
        stack.push_async_callback(broker.close)
        settings = NotifySettings().with_stand_ins(sandbox.url)
        await stack.enter_async_context(
            consume(database=database, broker=broker, vault=vault, settings=settings, stop=stop)
        )
        await stack.enter_async_context(consuming(database, broker))
        await stack.enter_async_context(Relay(database, broker).run())
        nowhere = await stack.enter_async_context(httpx.AsyncClient(base_url="http://127.0.0.1:1"))
        app = auth.create_app(
            settings=AuthSettings(),
            identity=identity,
            database=database,
            vault=vault,
            public_url=URL,
            notify=nowhere,
        )
        await stack.enter_async_context(app.router.lifespan_context(app))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL)
        yield Stage(await stack.enter_async_context(client), database)
        stop.set()
    await delete_queues(amqp_server_url, queue_prefix)


async def add_waiting(user: User) -> UUID:
    """Add a notification that is to be sent tomorrow."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    made = await Notification(
        user_id=user.id,
        principal=f"user:{user.id}",
        channel="email",
        recipient="friend@example.com",
        to={"email": "friend@example.com"},
        status="accepted",
        send_at=tomorrow,
        next_attempt_at=tomorrow,
    ).save()
    return made.id


async def find_mail(to: str) -> Notification | None:
    return await Notification.filter_by(template="account-changed", recipient=to).first()


class TestBlocked:
    async def test_waiting_notifications_are_cancelled_and_the_owner_is_notified(self, stage: Stage) -> None:
        user, other = await stage.user("min@example.com"), await stage.user("other@example.com")
        await stage.user("boss@example.com", Role.MANAGER)
        mine, kept = await add_waiting(user), await add_waiting(other)
        boss = await stage.signed_in("boss@example.com")
        answer = await stage.auth.patch(f"/auth/users/{user.id}", json={"status": "blocked"}, headers=boss)
        assert answer.status_code == 200, answer.text

        async def is_cancelled() -> bool:
            return (await Notification.get(mine)).status == "cancelled"

        await eventually(is_cancelled)
        events = await NotificationEvent.filter_by(notification_id=mine, status="cancelled").all()
        assert [event.detail for event in events] == ["the account was blocked"]
        assert (await Notification.get(kept)).status == "accepted"
        assert await find_mail("min@example.com") is not None
        assert await find_mail("other@example.com") is None


class TestRoleChanged:
    async def test_owner_is_notified_once(self, stage: Stage) -> None:
        user = await stage.user("min@example.com")
        await stage.user("boss@example.com", Role.ADMINISTRATOR)
        boss = await stage.signed_in("boss@example.com")
        for _ in range(2):  # the second changes nothing
            await stage.auth.patch(f"/auth/users/{user.id}", json={"role": "staff"}, headers=boss)

        async def is_sent() -> bool:
            mail = await find_mail("min@example.com")
            return mail is not None and mail.status in ("sent", "delivered")

        await eventually(is_sent)
        assert await Notification.filter_by(template="account-changed").count() == 1


class TestDeleted:
    async def test_bot_forgets_the_user_and_keeps_the_history_of_the_server(self, stage: Stage) -> None:
        user, other = await stage.user("min@example.com"), uuid4()
        for actor_id in (user.id, other):
            await GuildChangeEntry.create(guild_id=1, kind="removed", actor_id=actor_id)
            await LeaveRequest.create(
                actor_id=actor_id, idempotency_key="k", guild_id=1, claimed_until=datetime.now(UTC)
            )
        headers = await stage.signed_in("min@example.com")
        assert (await stage.auth.delete("/auth/me", headers=headers)).status_code == 204

        async def is_forgotten() -> bool:
            return not await LeaveRequest.filter_by(actor_id=user.id).exists()

        await eventually(is_forgotten)
        assert {one.actor_id for one in await GuildChangeEntry.query().all()} == {None, other}
        assert await LeaveRequest.filter_by(actor_id=other).exists()

        async def is_settled() -> bool:
            return not await OutboxMessage.filter_by(queue="bot.users.deleted").exists()

        await eventually(is_settled)
