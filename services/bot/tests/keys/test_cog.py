from typing import Any

import pytest

from bongsu_bot.shards.runner import Runner
from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import HANEUL, JAMES, Discord

ID = "0197c2a4-1f00-7000-8000-000000000001"
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
        assert "None of your keys" in await run(discord, "revoke", key=ID)
        assert "That isn't an ID" in await run(discord, "revoke", key="x" * 36)
