"""Discord messages over HTTP: what is accepted, and for whom."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bongsu.broker.memory import MemoryBroker
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, utc_now, uuid7
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.discord.channel import DiscordChannel
from bongsu_notify.channels.discord.message import DiscordMessage
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings
from services.notify.tests.channels.discord.bot import CHANNEL, GUILD, Bot, serving
from services.notify.tests.keys import make_key
from services.notify.tests.notifications.api import Api, serve_api

NOTIFICATIONS = "/v1/notifications"
TO = {"channel_id": str(CHANNEL)}
BODY = {"channel": "discord", "to": TO, "content": {"text": "봉수"}}


@pytest.fixture
async def api(database: Database, vault: Vault, broker: MemoryBroker) -> AsyncIterator[Api]:
    async for one in serve_api(database, vault, broker):
        yield one


@pytest.fixture
async def bot(broker: MemoryBroker) -> AsyncIterator[Bot]:
    async with serving(broker, Bot()) as one:
        yield one


@pytest.fixture
async def user(api: Api) -> User:
    return await api.user("owner@example.com")


@pytest.fixture
async def client(api: Api, user: User) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await make_key(user, api.vault)) as one:
        yield one


class TestRequest:
    @pytest.mark.parametrize(
        ("change", "loc"),
        [
            ({"to": {}}, ["body", "to"]),
            ({"to": {"channel_id": "1", "topic": "t"}}, ["body", "to"]),
            ({"to": {"channel_id": 300000000006422539}}, ["body", "to", "channel_id"]),
            ({"to": {"channel_id": "abc"}}, ["body", "to", "channel_id"]),
            ({"to": {"channel_id": "9" * 19}}, ["body", "to", "channel_id"]),
            ({"to": {"email": "a@example.com"}}, ["body", "to", "email"]),
            ({"content": {}}, ["body", "content"]),
            ({"content": {"text": " "}}, ["body", "content", "text"]),
            ({"content": {"text": "x" * 2001}}, ["body", "content", "text"]),
            ({"content": {"embed": {}}}, ["body", "content", "embed"]),
            ({"content": {"embed": {"url": "https://example.com"}}}, ["body", "content", "embed"]),
            ({"content": {"embed": {"title": "x", "url": "javascript:x"}}}, ["body", "content", "embed", "url"]),
            ({"content": {"embed": {"title": "x", "color": 2**24}}}, ["body", "content", "embed", "color"]),
            (
                {"content": {"embed": {"fields": [{"name": "a", "value": "b" * 1024}] * 6}}},
                ["body", "content", "embed"],
            ),
            ({"content": {"subject": "x", "text": "y"}}, ["body", "content", "subject"]),
            ({"to": {"topic": "news"}, "topic": "other"}, ["body"]),
            ({"from": {"email": "a@example.com"}}, ["body", "from"]),
        ],
    )
    async def test_error_names_the_field(
        self, client: httpx.AsyncClient, change: dict[str, object], loc: list[str]
    ) -> None:
        answer = await client.post(NOTIFICATIONS, json=BODY | change)
        assert answer.status_code == 422
        assert loc in [error["loc"] for error in answer.json()["errors"]], answer.text


class TestAuthority:
    async def test_manager_posts_into_the_channel(self, client: httpx.AsyncClient, user: User, bot: Bot) -> None:
        bot.managers.add(str(user.id))
        answer = await client.post(NOTIFICATIONS, json=BODY)
        assert answer.status_code == 202, answer.text
        assert answer.json()["to"] == TO
        assert (await Notification.get(answer.json()["id"])).sender == f"guild:{GUILD}"
        listed = await client.get(NOTIFICATIONS, params={"to": str(CHANNEL)})
        assert [item["id"] for item in listed.json()["items"]] == [answer.json()["id"]]

    async def test_key_of_a_user_who_does_not_manage_the_server_is_refused(
        self, client: httpx.AsyncClient, bot: Bot
    ) -> None:
        bot.managers.add(str(uuid7()))
        answer = await client.post(NOTIFICATIONS, json=BODY)
        assert (answer.status_code, answer.json()["code"]) == (403, "channel_not_allowed")
        assert await Notification.query().count() == 0

    async def test_authority_that_cannot_be_checked_now_is_checked_at_the_delivery(
        self, client: httpx.AsyncClient, user: User, bot: Bot
    ) -> None:
        bot.error = "discord_unavailable"
        answer = await client.post(NOTIFICATIONS, json=BODY)
        assert answer.status_code == 202
        assert _render(await Notification.get(answer.json()["id"])).unchecked_user_id == user.id

    async def test_authority_is_checked_again_for_a_later_send_time(
        self, client: httpx.AsyncClient, user: User, bot: Bot
    ) -> None:
        bot.managers.add(str(user.id))
        answer = await client.post(NOTIFICATIONS, json=BODY | {"send_at": _in_an_hour()})
        assert _render(await Notification.get(answer.json()["id"])).unchecked_user_id == user.id

    async def test_authority_is_checked_again_when_a_notification_is_sent_late_or_by_a_retry(
        self, client: httpx.AsyncClient, user: User, bot: Bot
    ) -> None:
        bot.managers.add(str(user.id))
        answer = await client.post(NOTIFICATIONS, json=BODY)
        made = await Notification.get(answer.json()["id"])
        assert _render(made).unchecked_user_id is None
        await Notification.filter_by(id=made.id).update(created_at=utc_now(-3600), status="failed")
        assert (await client.post(f"{NOTIFICATIONS}/{made.id}/retry")).status_code == 202
        late = _render(await Notification.get(made.id))
        assert (late.unchecked_user_id, late.guild_id) == (user.id, GUILD)

    async def test_direct_message_goes_to_oneself_alone(self, api: Api, client: httpx.AsyncClient, user: User) -> None:
        other = await api.user("other@example.com")
        own = await client.post(NOTIFICATIONS, json=BODY | {"to": {"user_id": str(user.id)}})
        assert own.status_code == 202
        refused = await client.post(NOTIFICATIONS, json=BODY | {"to": {"user_id": str(other.id)}})
        assert (refused.status_code, refused.json()["code"]) == (403, "recipient_not_allowed")

    async def test_account_on_trial_sends_to_itself_alone(self, api: Api, bot: Bot) -> None:
        user = await api.user("trial@example.com", sending="trial")
        bot.managers.add(str(user.id))
        async with api.client(await make_key(user, api.vault)) as client:
            refused = await client.post(NOTIFICATIONS, json=BODY)
            assert refused.json()["code"] == "account_on_trial"
            own = await client.post(NOTIFICATIONS, json=BODY | {"to": {"user_id": str(user.id)}})
            assert own.status_code == 202


def _in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def _render(row: Notification) -> DiscordMessage:
    made = DiscordChannel(NotifySettings()).render(row, Content({"text": "봉수"}, None), Vault.parse(Vault.new_key()))
    assert isinstance(made, DiscordMessage)
    return made
