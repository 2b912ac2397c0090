"""`/v1/subscriptions` from outside, and the notifications to a topic."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from bongsu.broker.memory import MemoryBroker
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_notify.channels.discord.relaying import relay
from bongsu_notify.channels.port import Sent
from bongsu_notify.notifications.models import Notification
from bongsu_notify.subscriptions import service
from services.notify.tests.channels.discord.bot import CHANNEL, GUILD, Bot, serving
from services.notify.tests.keys import make_key
from services.notify.tests.notifications.api import Api, serve_api

LIST = "/v1/subscriptions"
NOTIFICATIONS = "/v1/notifications"


@pytest.fixture
async def api(each_database: Database, vault: Vault, broker: MemoryBroker) -> AsyncIterator[Api]:
    async for one in serve_api(each_database, vault, broker):
        yield one


@pytest.fixture
async def bot(broker: MemoryBroker) -> AsyncIterator[Bot]:
    async with serving(broker, Bot()) as one:
        yield one


@pytest.fixture
async def owner(api: Api) -> User:
    return await api.user("owner@example.com")


@pytest.fixture
async def manager(api: Api, bot: Bot) -> AsyncIterator[httpx.AsyncClient]:
    user = await api.user("manager@example.com")
    bot.managers.add(str(user.id))
    async with api.client(await make_key(user, api.vault)) as client:
        yield client


def subscription(owner: User, channel_id: int = CHANNEL, topic: str = "news") -> dict[str, object]:
    return {"topic": topic, "owner": str(owner.id), "guild_id": str(GUILD), "channel_id": str(channel_id)}


class TestSubscriptions:
    async def test_manager_subscribes_lists_and_unsubscribes(
        self, api: Api, manager: httpx.AsyncClient, owner: User
    ) -> None:
        made = await manager.post(LIST, json=subscription(owner))
        assert made.status_code == 201, made.text
        assert (made.json()["channel_name"], made.json()["guild_id"]) == ("공지", str(GUILD))
        again = await manager.post(LIST, json=subscription(owner))
        assert again.json() == made.json()
        listed = await manager.get(LIST, params={"guild_id": str(GUILD)})
        assert listed.json() == {"items": [made.json()], "next": None}
        assert (await manager.get(LIST)).json()["items"] == []  # its own topics have no subscribers
        async with api.client(await make_key(owner, api.vault)) as client:
            assert (await client.get(LIST)).json()["items"] == [made.json()]
        address = f"{LIST}/{made.json()['id']}"
        assert (await manager.delete(address)).status_code == 204
        assert (await manager.delete(address)).json()["code"] == "subscription_not_found"

    async def test_user_who_does_not_manage_the_server_is_refused(
        self, api: Api, manager: httpx.AsyncClient, owner: User
    ) -> None:
        made = (await manager.post(LIST, json=subscription(owner))).json()
        async with api.client(await make_key(await api.user("other@example.com"), api.vault)) as other:
            for answer in (
                await other.post(LIST, json=subscription(owner)),
                await other.get(LIST, params={"guild_id": str(GUILD)}),
            ):
                assert (answer.status_code, answer.json()["code"]) == (403, "channel_not_allowed")
            assert (await other.delete(f"{LIST}/{made['id']}")).status_code == 404
        assert len((await manager.get(LIST, params={"guild_id": str(GUILD)})).json()["items"]) == 1

    async def test_owner_of_the_topic_removes_a_subscriber(
        self, api: Api, manager: httpx.AsyncClient, owner: User
    ) -> None:
        made = (await manager.post(LIST, json=subscription(owner))).json()
        async with api.client(await make_key(owner, api.vault)) as client:
            assert (await client.delete(f"{LIST}/{made['id']}")).status_code == 204

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"topic": "Not A Topic"}, 422),
            ({"channel_id": 1}, 422),
            ({"guild_id": "1"}, 403),
            ({"owner": "0197c2a4-1f00-7000-8000-000000000000"}, 404),
        ],
    )
    async def test_bad_input_is_refused(
        self, manager: httpx.AsyncClient, owner: User, change: dict[str, object], status: int
    ) -> None:
        answer = await manager.post(LIST, json=subscription(owner) | change)
        assert answer.status_code == status
        assert (await manager.get(LIST, params={"guild_id": str(GUILD)})).json()["items"] == []

    @pytest.mark.parametrize("limit", ["MAX_OF_GUILD", "MAX_OF_TOPIC"])
    async def test_limits_hold_for_requests_at_the_same_time(
        self, manager: httpx.AsyncClient, owner: User, limit: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, limit, 2)
        requests = [manager.post(LIST, json=subscription(owner, CHANNEL + place)) for place in range(6)]
        answers = await asyncio.gather(*requests)
        assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
        assert len((await manager.get(LIST, params={"guild_id": str(GUILD)})).json()["items"]) == 2
        again = next(answer for answer in answers if answer.status_code == 201).json()
        repeated = await manager.post(LIST, json=subscription(owner, int(again["channel_id"])))
        assert repeated.json() == again

    async def test_bot_that_does_not_answer_is_503(self, manager: httpx.AsyncClient, owner: User, bot: Bot) -> None:
        bot.error = "discord_unavailable"
        answer = await manager.post(LIST, json=subscription(owner))
        assert (answer.status_code, answer.json()["code"]) == (503, "bot_unavailable")


class TestTopics:
    async def test_owner_posts_into_a_channel_that_subscribed(
        self, api: Api, manager: httpx.AsyncClient, owner: User
    ) -> None:
        made = (await manager.post(LIST, json=subscription(owner))).json()
        body = {"channel": "discord", "to": {"channel_id": str(CHANNEL)}, "content": {"text": "봉수"}}
        async with api.client(await make_key(owner, api.vault)) as client:
            assert (await client.post(NOTIFICATIONS, json=body)).status_code == 403
            assert (await client.post(NOTIFICATIONS, json=body | {"topic": "other"})).status_code == 403
            accepted = await client.post(NOTIFICATIONS, json=body | {"topic": "news"})
        assert accepted.status_code == 202
        assert (await Notification.get(accepted.json()["id"])).sender == f"subscription:{made['id']}"

    async def test_notification_to_a_topic_is_relayed_to_each_subscriber_once(
        self, api: Api, manager: httpx.AsyncClient, owner: User
    ) -> None:
        await manager.post(LIST, json=subscription(owner))
        await manager.post(LIST, json=subscription(owner, CHANNEL + 1))
        await manager.post(LIST, json=subscription(owner, CHANNEL + 2, topic="other"))
        body = {"channel": "discord", "to": {"topic": "news"}, "content": {"text": "봉수"}}
        async with api.client(await make_key(owner, api.vault)) as client:
            accepted = (await client.post(NOTIFICATIONS, json=body)).json()
            assert (accepted["to"], accepted["topic"]) == ({"topic": "news"}, "news")
            parent = await Notification.get(accepted["id"])
            for _ in range(2):
                assert isinstance(outcome := await relay(parent, "news", {"text": "봉수"}), Sent)
                assert outcome.detail == "relayed to 2 channels"
            listed = (await client.get(NOTIFICATIONS)).json()["items"]
        assert sorted(item["to"].get("channel_id", "") for item in listed) == ["", str(CHANNEL), str(CHANNEL + 1)]
