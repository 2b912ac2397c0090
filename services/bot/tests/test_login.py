import pytest
from pydantic import SecretStr

from bongsu.runtime.errors import StartError
from bongsu_bot.login import bot_name
from bongsu_bot.settings import BotSettings
from services.bot.tests.discord import Discord


class TestBotName:
    async def test_it_is_asked_for_without_the_gateway(self, settings: BotSettings, discord: Discord) -> None:
        assert "봉수" in await bot_name(settings)
        assert (await discord.state())["gateway"]["connections"] == 0

    async def test_a_wrong_token_is_one_clear_error(self, settings: BotSettings) -> None:
        with pytest.raises(StartError, match="BOT_TOKEN"):
            await bot_name(settings.model_copy(update={"token": SecretStr("wrong")}))

    async def test_no_answer_is_one_clear_error(self, settings: BotSettings) -> None:
        with pytest.raises(StartError, match="does not answer"):
            await bot_name(settings.model_copy(update={"api_url": "http://127.0.0.1:1"}))
