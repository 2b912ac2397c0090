"""Registers the slash commands with Discord: once for each version of the bot, not at each start."""

import discord

from bongsu.runtime.logging import get_logger
from bongsu_bot.bot import BongsuBot
from bongsu_bot.login import logged_in
from bongsu_bot.settings import BotSettings

log = get_logger(__name__)


async def sync(settings: BotSettings) -> int:
    """Replace the commands that Discord has by the bot's, without the gateway, and return their number.

    :raises StartError: the token is missing or refused, or Discord does not answer.
    """
    async with logged_in(settings) as bot:
        return await sync_with(bot)


async def sync_with(bot: BongsuBot) -> int:
    """Do the same with a bot that is logged in. Commands that are registered already keep their IDs."""
    # By force: py-cord compares without the translations, and would find each command changed.
    await bot.sync_commands(force=True)
    count = len(bot.pending_application_commands)
    log.info("commands.synced", count=count)
    return count


async def fetch_ids(bot: BongsuBot) -> None:
    """Give the bot's commands the IDs under which Discord knows them: `/help` links a command by its ID."""
    application_id = bot.application_id
    assert application_id is not None  # noqa: S101 - READY holds it
    for registered in await bot.http.get_global_commands(application_id):
        command = discord.utils.get(bot.pending_application_commands, name=registered["name"])
        if command is not None:
            command.id = int(registered["id"])
