"""Listens to the buttons of replies with several pages."""

from collections.abc import Mapping
from typing import cast

import discord
import ezcord

from bongsu_bot.bot import BongsuBot
from bongsu_bot.pages.replies import PREFIX, turn


class PageListeners(ezcord.Cog, hidden=True):
    """Turns pages, whichever process sent the reply."""

    bot: BongsuBot

    @ezcord.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if interaction.type is not discord.InteractionType.component:
            return
        data = cast("Mapping[str, object]", interaction.data or {})
        custom_id = data.get("custom_id")
        if not isinstance(custom_id, str) or not custom_id.startswith(f"{PREFIX}:"):
            return
        try:
            await turn(self.bot, interaction, custom_id)
        except Exception as error:  # noqa: BLE001 - replied to, and logged unless it is the user's
            await self.bot.reply_error(interaction, error, component="page")


def setup(bot: BongsuBot) -> None:
    bot.add_cog(PageListeners(bot))
