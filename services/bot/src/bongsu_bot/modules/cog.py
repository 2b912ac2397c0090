"""Reports uses of commands to the log module."""

import discord
import ezcord

from bongsu_bot.bot import BongsuBot
from bongsu_bot.modules.posts import ModulePosts


class ModuleListeners(ezcord.Cog, hidden=True):
    """Passes each command that was run in a guild to the log channel. Who ran it is not shown."""

    bot: BongsuBot

    @ezcord.Cog.listener()
    async def on_application_command_completion(self, context: discord.ApplicationContext) -> None:
        if context.guild_id is not None and context.command is not None:
            self.bot.find(ModulePosts).log(
                context.guild_id,
                f"c-{context.interaction.id}",
                "modules.log_command",
                command=context.command.qualified_name,
            )


def setup(bot: BongsuBot) -> None:
    bot.add_cog(ModuleListeners(bot))
