import json
from typing import Any

import pytest

from bongsu_bot.shards.runner import Runner
from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import HANEUL, JAMES, SEOUL_DEVELOPERS, Discord

ID = "0197c2a4-1f00-7000-8000-000000000001"
OWNER = "0197c2a4-1f00-7000-8000-0000000000aa"
CHANNEL = SEOUL_DEVELOPERS + 12


def subscription(**changes: object) -> dict[str, Any]:
    return {"id": ID, "topic": "news", "owner": OWNER, "channel_id": str(CHANNEL)} | changes


async def run(discord: Discord, command: str, *, user: int = JAMES, **options: str) -> str:
    fields = {"user_id": user, "channel_id": CHANNEL, "unregistered": True, "options": options}
    answered = await discord.give(f"notify {command}", **fields)
    assert answered["deferred"]
    assert answered["ephemeral"]
    return str(answered["answers"][0])


@pytest.fixture(autouse=True)
def running(bot: Runner) -> None:
    del bot


class TestSubscribe:
    async def test_subscribe_asks_notify_as_the_user_for_the_channel_of_the_command(
        self, discord: Discord, api_server: ApiServer
    ) -> None:
        api_server.answers["POST /v1/subscriptions"] = (201, subscription())
        assert "now gets the notifications" in await run(discord, "subscribe", topic="news", owner=OWNER)
        (request,) = api_server.requests
        assert request.headers["authorization"] == f"Bearer token of {JAMES}"
        assert json.loads(request.content) == {
            "topic": "news",
            "owner": OWNER,
            "guild_id": str(SEOUL_DEVELOPERS),
            "channel_id": str(CHANNEL),
        }

    async def test_subscribe_answers_in_korean(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers["POST /v1/subscriptions"] = (201, subscription())
        assert "이제 이 채널에서 **news** 알림을 받습니다." in await run(
            discord, "subscribe", user=HANEUL, topic="news"
        )

    @pytest.mark.parametrize(
        ("status", "code", "reply"),
        [
            (403, "channel_not_allowed", "You need the Manage Server permission"),
            (404, "topic_owner_not_found", "No account has this ID"),
            (422, "invalid", "Check the options"),
        ],
    )
    async def test_refusal_of_notify_is_a_clear_reply(
        self, discord: Discord, api_server: ApiServer, status: int, code: str, reply: str
    ) -> None:
        api_server.answers["POST /v1/subscriptions"] = (status, {"code": code, "detail": "x"})
        assert reply in await run(discord, "subscribe", topic="news")

    async def test_owner_that_is_no_id_is_refused(self, discord: Discord, api_server: ApiServer) -> None:
        assert "That isn't an ID" in await run(discord, "subscribe", topic="news", owner="x" * 36)
        assert api_server.requests == []

    async def test_user_without_a_linked_account_is_sent_to_link(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.role = None
        assert "/link" in await run(discord, "subscribe", topic="news")


class TestUnsubscribe:
    async def test_unsubscribe_removes_the_subscriptions_of_the_channel_alone(
        self, discord: Discord, api_server: ApiServer
    ) -> None:
        other = subscription(id=OWNER, channel_id="1")
        api_server.answers["GET /v1/subscriptions"] = (200, {"items": [other, subscription()], "next": None})
        api_server.answers[f"DELETE /v1/subscriptions/{ID}"] = (204, {})
        assert "no longer gets" in await run(discord, "unsubscribe", topic="news")
        assert [request.method for request in api_server.requests] == ["GET", "DELETE"]
        assert dict(api_server.requests[0].url.params)["topic"] == "news"

    async def test_unsubscribe_from_a_topic_without_a_subscription_is_a_clear_reply(
        self, discord: Discord, api_server: ApiServer
    ) -> None:
        api_server.answers["GET /v1/subscriptions"] = (200, {"items": [], "next": None})
        assert "no such subscription" in await run(discord, "unsubscribe", topic="news")


class TestList:
    async def test_list_shows_the_subscriptions_of_the_server(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers["GET /v1/subscriptions"] = (200, {"items": [subscription()], "next": None})
        assert f"<#{CHANNEL}> **news** `{OWNER}`" in await run(discord, "list")
        assert dict(api_server.requests[0].url.params)["guild_id"] == str(SEOUL_DEVELOPERS)
