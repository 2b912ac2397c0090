import os
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import discord as pycord
import pytest
from ezcord.internal import translation

from bongsu_bot.bot import BongsuBot
from bongsu_bot.commands.sync import sync
from bongsu_bot.settings import BotSettings
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import JAMES, MINJI, Discord
from tests.eventually import eventually


async def show(discord: Discord, user_id: int) -> dict[str, Any]:
    answer = await discord.give("help", user_id=str(user_id), unregistered=True)
    assert answer["ephemeral"]
    reply: dict[str, Any] = answer["answers"][0]
    return reply


def find_menu(bot: BongsuBot) -> Any:  # noqa: ANN401 - ezcord has no types
    views = bot._connection._view_store._views.values()
    return next((item for _view, item in views if type(item).__name__ == "CategorySelect"), None)


@pytest.mark.usefixtures("bot")
class TestHelp:
    async def test_help_lists_the_categories_in_english(self, discord: Discord) -> None:
        reply = await show(discord, JAMES)
        (embed,) = reply["embeds"]
        assert embed["title"] == "Bongsu help"
        categories = [(field["name"], field["value"]) for field in embed["fields"]]
        assert ("📡 Status", "Check that the bot is online") in categories

    async def test_help_lists_the_categories_in_korean(self, discord: Discord) -> None:
        reply = await show(discord, MINJI)
        (embed,) = reply["embeds"]
        assert embed["title"] == "봉수 도움말"
        categories = [(field["name"], field["value"]) for field in embed["fields"]]
        assert ("📡 상태", "봇이 켜져 있는지 확인합니다") in categories

    async def test_help_never_searches_the_working_directory(
        self, discord: Discord, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "walk", MagicMock(side_effect=AssertionError("the working directory was searched")))
        await show(discord, MINJI)
        assert set(translation.load_lang("de")) == set(translation.load_lang("ko"))


class TestCategory:
    """The menu's callback. The stand-in delivers no menu choices, so the test makes the interaction."""

    @pytest.mark.parametrize(
        ("locale", "user_id", "category", "description"),
        [
            ("ko", MINJI, "상태", "봇이 켜져 있는지 확인합니다"),
            ("en-GB", JAMES, "Status", "Check that the bot is online"),
        ],
    )
    @pytest.mark.parametrize("sync_commands", [True, False])
    async def test_category_links_its_commands_when_they_were_registered_by_any_process(
        self,
        *,
        discord: Discord,
        settings: BotSettings,
        start_bot: StartBot,
        locale: str,
        user_id: int,
        category: str,
        description: str,
        sync_commands: bool,
    ) -> None:
        await sync(settings)
        async with start_bot(sync_commands=sync_commands) as runner:
            bot = runner._bot
            assert bot is not None
            await eventually(lambda: all(command.id is not None for command in bot.pending_application_commands))
            await show(discord, user_id)
            # The bot stores the menu after Discord's answer, which `show` does not wait for.
            menu = await eventually(lambda: find_menu(bot))
            interaction = MagicMock(spec=pycord.Interaction, locale=locale, client=bot, user=menu.member)
            interaction.response.edit_message = AsyncMock()
            menu._interaction, menu._selected_values = MagicMock(), [category]
            await menu.callback(interaction)
        shown = str(interaction.response.edit_message.await_args.kwargs["embed"].to_dict())
        assert description in shown
        assert "</ping:" in shown
