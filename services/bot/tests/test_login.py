import pytest
from pydantic import SecretStr

from bongsu.runtime.errors import StartError
from bongsu_bot.login import fetch_bot_name
from bongsu_bot.settings import BotSettings
from services.bot.tests.discord import Discord


class TestFetchBotName:
    async def test_fetch_bot_name_works_without_the_gateway(self, settings: BotSettings, discord: Discord) -> None:
        assert "봉수" in await fetch_bot_name(settings)
        assert (await discord.state())["gateway"]["connections"] == 0

    async def test_fetch_bot_name_reports_a_wrong_token(self, settings: BotSettings) -> None:
        with pytest.raises(StartError, match="BOT_TOKEN"):
            await fetch_bot_name(settings.model_copy(update={"token": SecretStr("wrong")}))

    async def test_fetch_bot_name_reports_that_discord_does_not_answer(self, settings: BotSettings) -> None:
        with pytest.raises(StartError, match="does not answer"):
            await fetch_bot_name(settings.model_copy(update={"api_url": "http://127.0.0.1:1"}))
