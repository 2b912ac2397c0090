"""Registering the slash commands with Discord: once for each version of the bot, not at each start."""

import discord

from bongsu.runtime.errors import StartError
from bongsu.runtime.logging import get_logger
from bongsu_bot.bot import BongsuBot
from bongsu_bot.help.cog import HelpCog
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
    if settings.token is None:
        raise StartError("BOT_TOKEN is missing (the bot's token, from Discord's developer portal)")
    bot = BongsuBot(settings)
    add_commands(bot)
    try:
        await bot.login(settings.token.get_secret_value())
        return await sync_with(bot)
    except discord.LoginFailure as error:
        raise StartError("Discord refuses BOT_TOKEN: copy it again from the developer portal") from error
    except (discord.HTTPException, OSError) as error:
        raise StartError(f"The commands could not be registered: {error}") from error
    finally:
        await bot.close()


async def sync_with(bot: BongsuBot) -> int:
    """The same with a bot that is logged in. Commands that are registered already keep their ids."""
    # By force: py-cord compares without the translations, and would find each command changed.
    await bot.sync_commands(force=True)
    count = len(bot.pending_application_commands)
    log.info("commands.synced", count=count)
    return count
