import pytest
from pydantic import SecretStr

from bongsu.runtime.errors import StartError
from bongsu_bot.commands.sync import sync
from bongsu_bot.settings import BotSettings
from services.bot.tests.discord import Discord


class TestSync:
    async def test_it_registers_without_logging_in_to_the_gateway(
        self, discord: Discord, settings: BotSettings
    ) -> None:
        assert await sync(settings) == 2
        state = await discord.state()
        assert sorted(command["name"] for command in state["commands"]) == ["help", "ping"]
        assert state["commands"][0]["name_localizations"]["ko"]
        assert state["gateway"]["connections"] == 0

    async def test_commands_keep_their_ids(self, discord: Discord, settings: BotSettings) -> None:
        await sync(settings)
        before = [command["id"] for command in (await discord.state())["commands"]]
        await sync(settings)
        assert [command["id"] for command in (await discord.state())["commands"]] == before

    async def test_a_wrong_token_is_one_clear_error(self, settings: BotSettings) -> None:
        with pytest.raises(StartError, match="BOT_TOKEN"):
            await sync(settings.model_copy(update={"token": SecretStr("wrong")}))

    async def test_a_missing_token_is_one_clear_error(self) -> None:
        with pytest.raises(StartError, match="BOT_TOKEN is missing"):
            await sync(BotSettings())
