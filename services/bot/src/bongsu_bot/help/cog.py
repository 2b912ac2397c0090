"""`/help`: what can be asked of the bot."""

import discord
from discord.ext import commands

from bongsu_bot.wording import KOREAN, language, say

_EMBER = 0xE2552D


class HelpCog(commands.Cog):
    """Lists the commands in the language of who asks."""

    def __init__(self, bot: discord.AutoShardedBot) -> None:
        self._bot = bot

    @commands.slash_command(
        name="help",
        description="Show what I can do",
        name_localizations={KOREAN: "도움말"},
        description_localizations={KOREAN: "할 수 있는 일을 보여 줍니다"},
    )
    async def help(self, context: discord.ApplicationContext) -> None:
        """Answers privately, at once: it asks nobody."""
        locale = context.locale
        embed = discord.Embed(
            title=say(locale, "help_title"), description=say(locale, "help_lead"), colour=discord.Colour(_EMBER)
        )
        for command in sorted(self._commands(), key=lambda one: str(one.qualified_name)):
            embed.add_field(name=f"/{command.qualified_name}", value=_description(command, locale), inline=False)
        await context.respond(embed=embed, ephemeral=True)

    def _commands(self) -> list[discord.SlashCommand]:
        # Those that are registered and those that wait for it are two lists of py-cord's.
        found: dict[str, discord.SlashCommand] = {}
        for command in (*self._bot.pending_application_commands, *self._bot.application_commands):
            nested = command.walk_commands() if isinstance(command, discord.SlashCommandGroup) else (command,)
            for one in nested:
                if isinstance(one, discord.SlashCommand):
                    found[str(one.qualified_name)] = one
        return [*found.values()]


def _description(command: discord.SlashCommand, locale: str | None) -> str:
    localised = command.description_localizations
    if language(locale) == KOREAN and isinstance(localised, dict):
        return str(localised.get(KOREAN, command.description))
    return str(command.description)
