import pytest
from pydantic import SecretStr

from bongsu.runtime.errors import StartError
from bongsu_bot.commands.sync import sync
from bongsu_bot.settings import BotSettings
from services.bot.tests.discord import Discord


class TestSync:
    async def test_sync_registers_the_commands_without_the_gateway(
        self, discord: Discord, settings: BotSettings
    ) -> None:
        count = await sync(settings)
        state = await discord.state()
        names = [command["name"] for command in state["commands"]]
        assert count == len(names) == len(set(names))
        assert {"help", "ping"} <= set(names)
        (ping,) = [command for command in state["commands"] if command["name"] == "ping"]
        assert ping["description"] == "Check that the bot is online"
        assert ping["name_localizations"] == {"ko": "핑"}
        assert ping["description_localizations"]["ko"] == "봇이 켜져 있는지 확인합니다"
        assert state["gateway"]["connections"] == 0

    async def test_sync_keeps_the_ids_of_registered_commands(self, discord: Discord, settings: BotSettings) -> None:
        await sync(settings)
        before = [command["id"] for command in (await discord.state())["commands"]]
        await sync(settings)
        assert [command["id"] for command in (await discord.state())["commands"]] == before

    async def test_sync_reports_a_wrong_token(self, settings: BotSettings) -> None:
        with pytest.raises(StartError, match="BOT_TOKEN"):
            await sync(settings.model_copy(update={"token": SecretStr("wrong")}))

    async def test_sync_reports_a_missing_token(self) -> None:
        with pytest.raises(StartError, match="BOT_TOKEN is missing"):
            await sync(BotSettings())
