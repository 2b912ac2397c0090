import pytest

from services.bot.tests.discord import JAMES, Discord

pytestmark = pytest.mark.usefixtures("bot")


class TestPing:
    async def test_ping_defers_and_replies_privately(self, discord: Discord) -> None:
        answer = await discord.give("ping", unregistered=True)
        assert answer["deferred"]
        assert answer["ephemeral"]
        assert answer["acknowledged_after_s"] < 3
        assert "봉수대" in answer["answers"][0]["content"]

    async def test_ping_replies_in_english_when_the_user_does_not_speak_korean(self, discord: Discord) -> None:
        answer = await discord.give("ping", user_id=str(JAMES), unregistered=True)
        assert "beacon" in answer["answers"][0]["content"]
