"""A login to Discord's REST API alone, for commands that run once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord

from bongsu.runtime.errors import StartError
from bongsu_bot.bot import BongsuBot
from bongsu_bot.settings import BotSettings


@asynccontextmanager
async def logged_in(settings: BotSettings) -> AsyncIterator[BongsuBot]:
    """Log a bot in for the length of the block.

    :raises StartError: the token is missing or refused, or Discord does not answer, now or within the block.
    """
    if settings.token is None:
        raise StartError("BOT_TOKEN is missing (the bot's token, from Discord's developer portal)")
    bot = BongsuBot(settings)
    try:
        await bot.login(settings.token.get_secret_value())
        yield bot
    except discord.LoginFailure as error:
        raise StartError("Discord refuses BOT_TOKEN: copy it again from the developer portal") from error
    except (discord.HTTPException, OSError) as error:
        raise StartError(f"Discord does not answer: {error}") from error
    finally:
        await bot.close()


async def fetch_bot_name(settings: BotSettings) -> str:
    """Return the name of the bot that the token belongs to.

    :raises StartError: the token is missing or refused, or Discord does not answer.
    """
    async with logged_in(settings) as bot:
        return str(bot.user)
