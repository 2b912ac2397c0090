import json
from typing import Any

import pytest

from bongsu_bot.shards.runner import Runner
from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import JAMES, MINJI, Discord

ID = "0197c2a4-1f00-7000-8000-000000000001"


def account(**changes: object) -> dict[str, Any]:
    given = {"id": ID, "email": "jiwoo@example.com", "name": "김지우", "role": "user", "status": "active"}
    return given | changes


async def run(discord: Discord, command: str, *, user: int = JAMES, **options: str) -> str:
    answered = await discord.give(f"users {command}", user_id=str(user), unregistered=True, options=options)
    assert answered["deferred"]
    assert answered["ephemeral"]
    return str(answered["answers"][0])


@pytest.fixture(autouse=True)
def running(bot: Runner) -> None:
    del bot


class TestFind:
    async def test_find_lists_accounts_by_the_start_of_the_address(
        self, discord: Discord, api_server: ApiServer
    ) -> None:
        api_server.answers["GET /auth/users"] = (200, {"items": [account(status="blocked")], "next": None})
        shown = await run(discord, "find", user=MINJI, address="jiwoo")
        assert "김지우 jiwoo@example.com" in shown
        assert "차단됨, 일반 사용자" in shown
        assert dict(api_server.requests[0].url.params) == {"q": "jiwoo", "limit": "5"}


class TestBlock:
    @pytest.mark.parametrize("named", ["Jiwoo@example.com", ID])
    async def test_block_takes_an_address_or_an_id(self, discord: Discord, api_server: ApiServer, named: str) -> None:
        other = account(id=ID.replace("1", "2"), email="jiwoo@example.com.test")
        api_server.answers["GET /auth/users"] = (200, {"items": [other, account()], "next": None})
        api_server.answers[f"PATCH /auth/users/{ID}"] = (200, account(status="blocked"))
        assert "The account is blocked." in await run(discord, "block", account=named)
        assert json.loads(api_server.requests[-1].content) == {"status": "blocked"}

    async def test_unblock_sets_the_account_active(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers[f"PATCH /auth/users/{ID}"] = (200, account())
        assert "The account is no longer blocked." in await run(discord, "unblock", account=ID)
        assert json.loads(api_server.requests[-1].content) == {"status": "active"}

    async def test_an_unknown_address_is_a_clear_reply(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers["GET /auth/users"] = (200, {"items": [], "next": None})
        assert "There is no such account." in await run(discord, "block", account="nobody@example.com")

    @pytest.mark.parametrize(
        ("status", "code", "reply"),
        [(409, "own_account", "You can't do this to your own"), (403, "higher_role", "role is below yours")],
    )
    async def test_a_refusal_of_auth_is_a_clear_reply(
        self, discord: Discord, api_server: ApiServer, status: int, code: str, reply: str
    ) -> None:
        api_server.answers[f"PATCH /auth/users/{ID}"] = (status, {"code": code, "detail": "x"})
        assert reply in await run(discord, "block", account=ID)

    async def test_each_command_is_refused_without_the_role(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.role = "user"
        assert "현재 역할로는" in await run(discord, "find", user=MINJI)
        for command in ("block", "unblock"):
            assert "현재 역할로는" in await run(discord, command, user=MINJI, account=ID)
        assert api_server.requests == []
