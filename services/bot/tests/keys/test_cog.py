from typing import Any

import pytest

from bongsu_bot.shards.runner import Runner
from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import HANEUL, JAMES, Discord

ID = "0197c2a4-1f00-7000-8000-000000000001"
KEY_ID = "0197c2a4-1f00-7000-8000-000000000002"
KEY: dict[str, Any] = {
    "id": ID,
    "access_key": "BGSA1",
    "memo": "**batch**",
    "mode": "live",
    "status": "active",
    "created_at": "2026-11-28T09:00:00Z",
}


async def run(discord: Discord, command: str, *, user: int = JAMES, **options: str) -> str:
    answered = await discord.give(f"keys {command}", user_id=user, unregistered=True, options=options)
    assert answered["deferred"]
    assert answered["ephemeral"]
    return str(answered["answers"][0])


@pytest.fixture(autouse=True)
def running(bot: Runner) -> None:
    del bot


class TestKeys:
    async def test_list_shows_the_keys_of_the_user(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers["GET /auth/api-keys"] = (200, {"items": [KEY], "next": None})
        shown = await run(discord, "list", user=HANEUL)
        assert "BGSA1" in shown
        assert "사용 중, 실사용" in shown
        assert api_server.requests[0].headers["authorization"] == f"Bearer token of {HANEUL}"

    async def test_revoke_deletes_a_key_as_the_user(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers[f"DELETE /auth/api-keys/{ID}"] = (204, {})
        assert "The key is revoked." in await run(discord, "revoke", key=ID)
        assert [request.method for request in api_server.requests] == ["DELETE"]

    async def test_revoke_of_an_unknown_key_is_a_clear_reply(self, discord: Discord, api_server: ApiServer) -> None:
        answer = (404, {"code": "api_key_not_found", "detail": "x"})
        api_server.answers[f"DELETE /auth/api-keys/{ID}"] = answer
        assert "There is no key" in await run(discord, "revoke", key=ID)
        assert "That isn't an ID" in await run(discord, "revoke", key="x" * 36)


class TestKeysOfAnAccount:
    @pytest.mark.parametrize("named", ["Jiwoo@example.com", ID])
    async def test_list_takes_an_address_or_an_id(self, discord: Discord, api_server: ApiServer, named: str) -> None:
        account = {"id": ID, "email": "jiwoo@example.com", "name": None, "role": "user", "status": "active"}
        api_server.answers["GET /auth/users"] = (200, {"items": [account], "next": None})
        api_server.answers[f"GET /auth/users/{ID}/api-keys"] = (200, {"items": [KEY], "next": None})
        shown = await run(discord, "list", account=named)
        assert "API keys of the account" in shown
        assert "BGSA1" in shown

    async def test_account_without_keys_is_a_clear_reply(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers[f"GET /auth/users/{ID}/api-keys"] = (200, {"items": [], "next": None})
        assert "이 계정에는 API 키가 없습니다." in await run(discord, "list", user=HANEUL, account=ID)

    async def test_revoke_deletes_a_key_of_the_account(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers[f"DELETE /auth/users/{ID}/api-keys/{KEY_ID}"] = (204, {})
        assert "The key is revoked." in await run(discord, "revoke", key=KEY_ID, account=ID)
        assert [request.method for request in api_server.requests] == ["DELETE"]

    @pytest.mark.parametrize(
        ("status", "code", "reply"),
        [
            (403, "higher_role", "role is below yours"),
            (404, "user_not_found", "There is no such account."),
            (409, "own_account", "You can't do this to your own account."),
        ],
    )
    async def test_refusal_of_auth_is_a_clear_reply(
        self, discord: Discord, api_server: ApiServer, status: int, code: str, reply: str
    ) -> None:
        answer = (status, {"code": code, "detail": "x"})
        api_server.answers[f"DELETE /auth/users/{ID}/api-keys/{KEY_ID}"] = answer
        assert reply in await run(discord, "revoke", key=KEY_ID, account=ID)

    async def test_both_are_refused_without_the_role_before_anything_is_asked(
        self, discord: Discord, api_server: ApiServer
    ) -> None:
        api_server.role = "user"
        assert "현재 역할로는" in await run(discord, "list", user=HANEUL, account=ID)
        assert "현재 역할로는" in await run(discord, "revoke", user=HANEUL, key=KEY_ID, account=ID)
        assert api_server.requests == []
