"""KakaoTalk messages over HTTP: what is accepted, for whom, and how it is rendered."""

from collections.abc import AsyncIterator

import httpx
import pytest

from bongsu.broker.memory import MemoryBroker
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.kakao.channel import KakaoChannel
from bongsu_notify.channels.kakao.message import KakaoMessage
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings
from services.notify.tests.keys import make_key
from services.notify.tests.notifications.api import Api, serve_api

NOTIFICATIONS = "/v1/notifications"
LINK = "https://example.com/a"


@pytest.fixture
async def api(database: Database, vault: Vault, broker: MemoryBroker) -> AsyncIterator[Api]:
    async for one in serve_api(database, vault, broker):
        yield one


@pytest.fixture
async def user(api: Api) -> User:
    return await api.user("owner@example.com")


@pytest.fixture
async def client(api: Api, user: User) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await make_key(user, api.vault)) as one:
        yield one


def body(user: User, **changes: object) -> dict[str, object]:
    return {"channel": "kakao", "to": {"user_id": str(user.id)}, "content": {"text": "봉수"}} | changes


class TestRequest:
    @pytest.mark.parametrize(
        ("change", "loc"),
        [
            ({"to": {}}, ["body", "to", "user_id"]),
            ({"to": {"user_id": "x"}}, ["body", "to", "user_id"]),
            ({"to": {"email": "a@example.com"}}, ["body", "to", "email"]),
            ({"content": {}}, ["body", "content"]),
            ({"content": {"text": "x", "feed": {"title": "x"}}}, ["body", "content"]),
            ({"content": {"text": " "}}, ["body", "content", "text"]),
            ({"content": {"text": "x" * 201}}, ["body", "content", "text"]),
            ({"content": {"text": "x", "link": "javascript:x"}}, ["body", "content", "link"]),
            ({"content": {"feed": {"title": "x"}, "link": LINK}}, ["body", "content"]),
            ({"content": {"feed": {}}}, ["body", "content", "feed"]),
            (
                {"content": {"feed": {"title": "x", "buttons": [{"title": "x" * 15, "link": LINK}]}}},
                ["body", "content", "feed", "buttons", 0, "title"],
            ),
            (
                {"content": {"feed": {"title": "x", "buttons": [{"title": "x", "link": LINK}] * 3}}},
                ["body", "content", "feed", "buttons"],
            ),
            ({"content": {"subject": "x", "text": "y"}}, ["body", "content", "subject"]),
            ({"from": {"email": "a@example.com"}}, ["body", "from"]),
        ],
    )
    async def test_error_names_the_field(
        self, client: httpx.AsyncClient, user: User, change: dict[str, object], loc: list[object]
    ) -> None:
        answer = await client.post(NOTIFICATIONS, json=body(user, **change))
        assert answer.status_code == 422
        assert loc in [error["loc"] for error in answer.json()["errors"]], answer.text

    async def test_message_to_oneself_is_accepted(self, client: httpx.AsyncClient, user: User) -> None:
        answer = await client.post(NOTIFICATIONS, json=body(user, content={"text": "봉수", "link": LINK}))
        assert answer.status_code == 202, answer.text
        assert (answer.json()["channel"], answer.json()["to"]) == ("kakao", {"user_id": str(user.id)})
        listed = await client.get(NOTIFICATIONS, params={"channel": "kakao", "to": str(user.id)})
        assert [item["id"] for item in listed.json()["items"]] == [answer.json()["id"]]

    async def test_title_of_a_feed_is_the_subject(self, client: httpx.AsyncClient, user: User) -> None:
        feed = {"title": "제목", "link": LINK, "buttons": [{"title": "열기", "link": LINK}]}
        answer = await client.post(NOTIFICATIONS, json=body(user, content={"feed": feed}))
        assert (answer.status_code, answer.json()["subject"]) == (202, "제목")

    async def test_message_to_another_user_is_refused(self, client: httpx.AsyncClient, user: User) -> None:
        answer = await client.post(NOTIFICATIONS, json=body(user, to={"user_id": str(uuid7())}))
        assert (answer.status_code, answer.json()["code"]) == (403, "recipient_not_allowed")


class TestRender:
    @pytest.mark.parametrize(
        ("content", "template"),
        [
            ({"text": "봉수"}, {"object_type": "text", "text": "봉수", "link": {}}),
            (
                {"text": "봉수", "link": LINK},
                {"object_type": "text", "text": "봉수", "link": {"web_url": LINK, "mobile_web_url": LINK}},
            ),
            (
                {"feed": {"title": "제목", "buttons": [{"title": "열기", "link": LINK}]}},
                {
                    "object_type": "feed",
                    "content": {"title": "제목", "link": {}},
                    "buttons": [{"title": "열기", "link": {"web_url": LINK, "mobile_web_url": LINK}}],
                },
            ),
        ],
    )
    def test_content_becomes_a_template_of_kakao(
        self, content: dict[str, object], template: dict[str, object], vault: Vault
    ) -> None:
        user_id = uuid7()
        row = Notification(id=uuid7(), attempt=1, recipient=str(user_id), to={"user_id": str(user_id)}, user_id=user_id)
        message = KakaoChannel(NotifySettings()).render(row, Content(content, None), vault)
        assert isinstance(message, KakaoMessage)
        assert (message.template, message.to_user_id, message.sender_id) == (template, user_id, user_id)
