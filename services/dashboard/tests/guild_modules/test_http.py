import json
from uuid import UUID

import httpx
import pytest

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import BotSilent, ChannelNotWritable, ServiceDown, TooManySubscriptions, TopicOwnerUnknown
from bongsu_dashboard.guild_modules.http import HttpSubscriptionClient
from bongsu_dashboard.upstream import Upstream

ONE = UUID(int=1)


class Notify:
    """Answers each request in the same way, and keeps the last."""

    def __init__(self, status: int, code: str = "", **body: object) -> None:
        self.answer = httpx.Response(status, json={"code": code, "detail": "Refused", **body})
        self.request = httpx.Request("GET", "http://notify")

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        return self.answer

    @property
    def client(self) -> HttpSubscriptionClient:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="http://notify")
        return HttpSubscriptionClient(Upstream("notify", http))


class TestListOfGuild:
    async def test_subscriptions_of_the_guild_are_read(self) -> None:
        item = {"id": str(ONE), "topic": "news", "owner": str(ONE), "channel_id": "9", "channel_name": "n", "new": 1}
        notify = Notify(200, items=[item], next=None)
        (read,) = await notify.client.list_of_guild(Browser(), 8)
        assert (read.topic, read.channel_id, notify.request.url.params["guild_id"]) == ("news", 9, "8")

    async def test_silent_bot_is_another_error_than_a_silent_notify(self) -> None:
        with pytest.raises(BotSilent):
            await Notify(503, "bot_unavailable").client.list_of_guild(Browser(), 8)
        with pytest.raises(ServiceDown):
            await Notify(502).client.list_of_guild(Browser(), 8)


class TestSubscribe:
    @pytest.mark.parametrize(
        ("status", "code", "error"),
        [
            (403, "channel_not_allowed", ChannelNotWritable),
            (404, "topic_owner_not_found", TopicOwnerUnknown),
            (409, "too_many_subscriptions", TooManySubscriptions),
            (503, "bot_unavailable", BotSilent),
        ],
    )
    async def test_refusal_is_an_error_of_the_form(self, status: int, code: str, error: type[Exception]) -> None:
        client = Notify(status, code).client
        with pytest.raises(error):
            await client.subscribe(Browser(), guild_id=8, channel_id="9", topic="news", owner=ONE)

    @pytest.mark.parametrize("owner", [None, ONE])
    async def test_owner_is_sent_only_where_it_is_another_user(self, owner: UUID | None) -> None:
        notify = Notify(201)
        await notify.client.subscribe(Browser(), guild_id=8, channel_id="9", topic="news", owner=owner)
        sent = json.loads(notify.request.content)
        assert sent == {"topic": "news", "guild_id": "8", "channel_id": "9"} | ({"owner": str(ONE)} if owner else {})


class TestUnsubscribe:
    async def test_subscription_that_is_gone_is_no_error(self) -> None:
        notify = Notify(404, "subscription_not_found")
        await notify.client.unsubscribe(Browser(), ONE)
        assert (notify.request.method, notify.request.url.path) == ("DELETE", f"/v1/subscriptions/{ONE}")
