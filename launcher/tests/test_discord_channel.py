"""Discord messages from the API to the channel: notify and the bot over a real RabbitMQ, and the sandbox's Discord."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import httpx
import pytest

from bongsu.broker import RpcError
from bongsu.broker.requests import ask
from bongsu.contracts.queues import BOT_RPC
from bongsu.contracts.rpc import SendMessageRequest
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.models import LinkedAccount, User
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_bot.apis import Apis
from bongsu_bot.app import running as running_bot
from bongsu_bot.settings import BotSettings
from bongsu_launcher.owners import MIGRATIONS
from bongsu_notify.app import create_app
from bongsu_notify.channels.discord.provider import nonce_of
from bongsu_notify.settings import NotifySettings
from bongsu_notify.worker import consume
from bongsu_sandbox.discord.users.personas import JAMES, MINJI, SEOUL_DEVELOPERS
from bongsu_sandbox.running import RunningSandbox, running
from bongsu_sandbox.settings import SandboxSettings
from launcher.tests.prefixed_broker import PrefixedBroker, delete_queues
from services.notify.tests.keys import make_key
from tests.eventually import eventually
from tests.infrastructure.templates import Schema, WithTables

pytestmark = [pytest.mark.amqp, pytest.mark.timeout(180)]

URL = "http://localhost:8000"
CHANNEL = SEOUL_DEVELOPERS + 11
NOTIFICATIONS = "/v1/notifications"
TABLES = Schema.migrated("all", *MIGRATIONS)


@dataclass
class Stage:
    """notify and its worker, which run; and the bot, which a test starts."""

    notify: httpx.ASGITransport
    sandbox: RunningSandbox
    broker: PrefixedBroker
    database: Database
    vault: Vault
    identity: Identity
    user_name: str

    def run_bot(self, notify_user: str | None = None) -> AbstractAsyncContextManager[object]:
        """Run the bot while the block runs, with a connection of its own."""
        settings = BotSettings().with_stand_ins(self.sandbox.url)
        return self._run_bot(settings.model_copy(update={"notify_user": notify_user or self.user_name}))

    @asynccontextmanager
    async def _run_bot(self, settings: BotSettings) -> AsyncIterator[None]:
        broker = PrefixedBroker(self.broker.url, self.broker.prefix)
        await broker.connect()
        async with (
            httpx.AsyncClient(transport=self.notify, base_url=URL) as api,
            running_bot(
                settings=settings,
                public_url=URL,
                identity=self.identity,
                database=self.database,
                broker=broker,
                apis=Apis({"auth": api, "notify": api}, ServiceCredentials(self.vault)),
                stop=StopSignal(),
            ),
        ):
            yield
        await broker.close()

    async def client(self, discord_id: int) -> httpx.AsyncClient:
        """Make a user with a Discord account and an API key, and return a client of theirs."""
        user = await User.create(
            email_norm=f"{discord_id}@example.com", email_verified_at=datetime.now(UTC), sending="live"
        )
        await LinkedAccount.create(
            user_id=user.id,
            provider="discord",
            subject=str(discord_id),
            scopes="identify",
            last_used_at=datetime.now(UTC),
        )
        signer = await make_key(await user.refresh(), self.vault)
        return httpx.AsyncClient(transport=self.notify, base_url=URL, auth=signer)

    async def messages(self, channel_id: int = CHANNEL) -> list[str]:
        """The texts in a channel, oldest first."""
        answer = await self.sandbox.http.get(f"/sandbox/discord/control/channels/{channel_id}/messages")
        return [item["content"] for item in answer.json()["items"]]


@pytest.fixture
async def stage(
    amqp_server_url: str, queue_prefix: str, sqlite_with_tables: WithTables, tmp_path: Path
) -> AsyncIterator[Stage]:
    database, vault = Database(sqlite_with_tables(TABLES)), Vault.parse(Vault.new_key())
    await ensure_signing_key(vault)
    identity = Identity(vault=vault, public_url=URL, revocations=RevocationFeed(stale_after_s=60))
    stop, settings = StopSignal(), NotifySettings()
    broker = PrefixedBroker(amqp_server_url, queue_prefix)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.dispose)
        sandbox = await stack.enter_async_context(running(SandboxSettings(data_dir=tmp_path)))
        await broker.connect()
        stack.push_async_callback(broker.close)
        settings = settings.with_stand_ins(sandbox.url)
        app = create_app(settings=settings, identity=identity, database=database, broker=broker)
        await stack.enter_async_context(app.router.lifespan_context(app))
        await stack.enter_async_context(
            consume(database=database, broker=broker, vault=vault, settings=settings, stop=stop)
        )
        await stack.enter_async_context(Relay(database, broker).run())
        user_name = httpx.URL(amqp_server_url).username
        yield Stage(httpx.ASGITransport(app), sandbox, broker, database, vault, identity, user_name)
        stop.set()
    await delete_queues(amqp_server_url, queue_prefix)


async def submit(client: httpx.AsyncClient, text: str, **fields: object) -> httpx.Response:
    body = {"channel": "discord", "to": {"channel_id": str(CHANNEL)}, "content": {"text": text}}
    return await client.post(NOTIFICATIONS, json=body | fields)


async def reach(client: httpx.AsyncClient, answer: httpx.Response, status: str) -> dict[str, Any]:
    """Wait until an accepted notification has a status, and return it with its timeline."""
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = {}

    async def has_status() -> bool:
        found.update((await client.get(f"{NOTIFICATIONS}/{answer.json()['id']}")).json())
        return bool(found["status"] == status)

    await eventually(has_status, what=f"the status {status}, not {found.get('status')}")
    return found


class TestDiscordChannel:
    async def test_message_of_a_manager_arrives_once(self, stage: Stage) -> None:
        async with stage.run_bot(), await stage.client(MINJI) as client:
            delivered = await reach(client, await submit(client, "봉수가 올랐습니다"), "delivered")
        assert await stage.messages() == ["봉수가 올랐습니다"]
        assert [entry["status"] for entry in delivered["timeline"]] == ["accepted", "sending", "sent", "delivered"]
        assert int(delivered["provider_message_id"]) > 0

    async def test_message_waits_while_the_bot_is_stopped_and_arrives_when_it_starts(self, stage: Stage) -> None:
        async with await stage.client(MINJI) as client:
            waiting = await submit(client, "봉수")
            found = await reach(client, waiting, "retry_wait")
            assert found["error"]["code"] == "bot_unavailable"
            assert await stage.messages() == []
            async with stage.run_bot():
                await reach(client, waiting, "delivered")
        assert await stage.messages() == ["봉수"]

    async def test_message_into_the_server_of_others_is_refused_now_or_at_the_delivery(self, stage: Stage) -> None:
        async with await stage.client(JAMES) as client:
            unchecked = await submit(client, "봉수")
            async with stage.run_bot():
                failed = await reach(client, unchecked, "failed")
                assert failed["error"]["code"] == "forbidden"
                refused = await submit(client, "봉수")
                assert (refused.status_code, refused.json()["code"]) == (403, "channel_not_allowed")
        assert await stage.messages() == []

    async def test_lost_answer_of_discord_makes_no_second_message(self, stage: Stage) -> None:
        async with stage.run_bot(), await stage.client(MINJI) as client:
            route = {"route": f"/channels/{CHANNEL}/messages"}
            await stage.sandbox.fault("accept_then_reset", target="discord", detail=route)
            accepted = await submit(client, "봉수")
            await reach(client, accepted, "unknown")
            await stage.sandbox.clear_faults()
            request = SendMessageRequest(channel_id=CHANNEL, text="봉수", nonce=nonce_of(UUID(accepted.json()["id"])))
            await ask(stage.broker, request, deadline_s=30)
        assert await stage.messages() == ["봉수"]

    async def test_topic_reaches_the_channel_that_subscribed(self, stage: Stage) -> None:
        async with stage.run_bot(), await stage.client(MINJI) as manager, await stage.client(JAMES) as owner:
            wanted = {
                "topic": "news",
                "owner": str(await _user_of(JAMES)),
                "guild_id": str(SEOUL_DEVELOPERS),
                "channel_id": str(CHANNEL),
            }
            made = await manager.post("/v1/subscriptions", json=wanted)
            assert made.status_code == 201, made.text
            parent = await reach(owner, await submit(owner, "소식", to={"topic": "news"}), "delivered")
            assert parent["timeline"][-1]["detail"] == "relayed to 1 channel"

            async def has_arrived() -> bool:
                return await stage.messages() == ["소식"]

            await eventually(has_arrived)

    async def test_request_of_another_broker_user_posts_nothing(self, stage: Stage) -> None:
        request = SendMessageRequest(channel_id=CHANNEL, text="위조", nonce="forged")
        async with stage.run_bot(notify_user="notify-of-another-name"):
            with pytest.raises(RpcError) as caught:
                await ask(stage.broker, request, deadline_s=30)
            assert caught.value.code == "sender_refused"
        async with stage.run_bot(notify_user="notify-of-another-name"):
            # RabbitMQ closes the channel of a sender that claims to be another user.
            with pytest.raises(aio_pika.exceptions.AMQPError):
                await _claim_to_be("notify-of-another-name", stage, request)
        assert await stage.messages() == []


async def _claim_to_be(user: str, stage: Stage, request: SendMessageRequest) -> None:
    queue = f"{stage.broker.prefix}{BOT_RPC}"
    async with await aio_pika.connect(stage.broker.url) as connection, connection.channel() as channel:
        forged = aio_pika.Message(request.model_dump_json().encode(), user_id=user)
        await channel.default_exchange.publish(forged, queue)


async def _user_of(discord_id: int) -> UUID:
    return (await LinkedAccount.filter_by(subject=str(discord_id)).one()).user_id
