import pytest

from services.bot.tests.discord import JAMES, Discord

pytestmark = pytest.mark.usefixtures("bot")


class TestPing:
    async def test_it_defers_and_answers_privately(self, discord: Discord) -> None:
        answer = await discord.give("ping", unregistered=True)
        assert answer["deferred"]
        assert answer["ephemeral"]
        assert answer["acknowledged_after_s"] < 3
        assert "봉수대" in answer["answers"][0]["content"]

    async def test_it_speaks_english_to_others(self, discord: Discord) -> None:
        answer = await discord.give("ping", user_id=str(JAMES), unregistered=True)
        assert "beacon" in answer["answers"][0]["content"]
