import pytest

from services.bot.tests.discord import JAMES, MINJI, Discord

pytestmark = pytest.mark.usefixtures("bot")


class TestHelp:
    async def test_it_lists_the_commands_privately(self, discord: Discord) -> None:
        await discord.until("command_syncs", reaches=1)
        answer = await discord.give("help", user_id=str(JAMES))
        assert answer["ephemeral"]
        (embed,) = answer["answers"][0]["embeds"]
        assert [field["name"] for field in embed["fields"]] == ["/help", "/ping"]
        assert embed["fields"][1]["value"] == "Check that I am there"

    async def test_it_speaks_korean_to_koreans(self, discord: Discord) -> None:
        await discord.until("command_syncs", reaches=1)
        answer = await discord.give("help", user_id=str(MINJI))
        (embed,) = answer["answers"][0]["embeds"]
        assert embed["title"] == "봉수 도움말"
        assert embed["fields"][0]["value"] == "할 수 있는 일을 보여 줍니다"
