"""A bot that is logged in to Discord's REST, and not to the gateway: for work that is done once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord

from bongsu.runtime.errors import StartError
from bongsu_bot.bot import BongsuBot
from bongsu_bot.settings import BotSettings


@asynccontextmanager
async def logged_in(settings: BotSettings) -> AsyncIterator[BongsuBot]:
    """A bot for the length of the block.

    :raises StartError: no token, a wrong one, or Discord does not answer, now or within the block.
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


async def bot_name(settings: BotSettings) -> str:
    """The name of the bot whose token it is.

    :raises StartError: no token, a wrong one, or Discord does not answer.
    """
    async with logged_in(settings) as bot:
        return str(bot.user)
