"""Records the uses of slash commands."""

import discord
import ezcord
from discord.ext import commands

from bongsu.contracts.rpc import CommandOutcome
from bongsu.runtime.errors import ServiceError, Unavailable
from bongsu_bot.bot import BongsuBot
from bongsu_bot.guilds.recorder import GuildRecorder
from bongsu_bot.history import service


class HistoryListeners(ezcord.Cog, hidden=True):
    """Passes each use of a command in a guild to the recorder."""

    bot: BongsuBot

    @ezcord.Cog.listener()
    async def on_application_command_completion(self, context: discord.ApplicationContext) -> None:
        self._record(context, "done")

    @ezcord.Cog.listener()
    async def on_application_command_error(
        self, context: discord.ApplicationContext, exception: discord.DiscordException
    ) -> None:
        error = getattr(exception, "original", exception)
        is_refusal = isinstance(error, ServiceError) and not isinstance(error, Unavailable)
        is_refusal = is_refusal or isinstance(error, discord.CheckFailure | commands.CheckFailure)
        self._record(context, "refused" if is_refusal else "failed")

    def _record(self, context: discord.ApplicationContext, outcome: CommandOutcome) -> None:
        if context.guild_id is not None and context.command is not None:
            recorder = self.bot.find(GuildRecorder)
            recorder.record([], service.record_command, context.guild_id, context.command.qualified_name, outcome)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(HistoryListeners(bot))
