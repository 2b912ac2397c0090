"""Registering the slash commands with Discord: once for each version of the bot, not at each start."""

from bongsu.runtime.logging import get_logger
from bongsu_bot.bot import BongsuBot
from bongsu_bot.help.cog import HelpCog
from bongsu_bot.login import logged_in
from bongsu_bot.ping.cog import PingCog
from bongsu_bot.settings import BotSettings

log = get_logger(__name__)


def add_commands(bot: BongsuBot) -> None:
    """Give the bot its slash commands."""
    bot.add_cog(HelpCog(bot))
    bot.add_cog(PingCog())


async def sync(settings: BotSettings) -> int:
    """Replace the commands that Discord knows by ours, without logging in to the gateway; how many there are.

    :raises StartError: no token, a wrong one, or Discord does not answer.
    """
    async with logged_in(settings) as bot:
        add_commands(bot)
        return await sync_with(bot)


async def sync_with(bot: BongsuBot) -> int:
    """The same with a bot that is logged in. Commands that are registered already keep their ids."""
    # By force: py-cord compares without the translations, and would find each command changed.
    await bot.sync_commands(force=True)
    count = len(bot.pending_application_commands)
    log.info("commands.synced", count=count)
    return count
