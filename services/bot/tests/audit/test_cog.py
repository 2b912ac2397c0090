from bongsu_bot.shards.runner import Runner
from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import JAMES, Discord

ACTOR = "0197c2a4-1f00-7000-8000-000000000001"
ENTRY = {"at": "2026-11-28T09:00:00Z", "action": "user.blocked", "actor_id": ACTOR, "target": "user:*x*"}


async def run(discord: Discord) -> str:
    answered = await discord.give("audit", user_id=JAMES, unregistered=True)
    assert answered["deferred"]
    assert answered["ephemeral"]
    return str(answered["answers"][0])


class TestAudit:
    async def test_audit_shows_entries_to_managers(self, bot: Runner, discord: Discord, api_server: ApiServer) -> None:
        del bot
        api_server.answers["GET /auth/audit"] = (200, {"items": [ENTRY], "next": None})
        shown = await run(discord)
        assert "user.blocked" in shown
        assert ACTOR in shown

    async def test_audit_is_refused_without_the_permission(
        self, bot: Runner, discord: Discord, api_server: ApiServer
    ) -> None:
        del bot
        api_server.role = "user"
        assert "Your role doesn't allow this command" in await run(discord)
        assert api_server.requests == []
