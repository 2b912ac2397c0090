"""The bot itself: ezcord's, without the parts that would harm it here."""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import aiohttp
import discord
import ezcord  # type: ignore[import-untyped]  # it has no type hints
from discord.ext import commands
from discord.http import Route

from bongsu.runtime.errors import ServiceError, Unavailable
from bongsu.runtime.logging import get_logger
from bongsu_bot.rest import use_api
from bongsu_bot.settings import BotSettings
from bongsu_bot.wording import say

if TYPE_CHECKING:
    # ezcord has no type hints; this is what its class is made of.
    Base = discord.AutoShardedBot
else:
    Base = ezcord.AutoShardedBot

log = get_logger(__name__)
_STARTS_KEPT = 5
"""Session starts of the day that are left alone: to spend the last one has Discord reset the token."""
_UNKNOWN_INTERACTION = 10062
_ALREADY_ACKNOWLEDGED = 40060


class BongsuBot(Base):
    """Make it inside the running event loop: py-cord binds its timers to the loop that it finds.

    :param identified: called before each IDENTIFY.
    """

    def __init__(self, settings: BotSettings, *, identified: Callable[[], None] = lambda: None) -> None:
        # It warns that it cannot speak; it is not asked to.
        logging.getLogger("discord.utils").setLevel(logging.ERROR)
        use_api(settings.api_url)
        super().__init__(  # type: ignore[no-untyped-call]  # py-cord's own has none
            loop=asyncio.get_running_loop(),
            intents=discord.Intents(guilds=True),
            shard_count=settings.shards,
            shard_ids=[*settings.own_shards],
            guild_ready_timeout=settings.guilds_timeout_s,
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            # A 404 on the sounds, and the bot would never be ready.
            cache_default_sounds=False,
            # Else commands are registered at each new session, and again at each command that is not known.
            auto_sync_commands=False,
            # ezcord's handler shows the exception's text to the user.
            error_handler=False,
            debug=False,
            ready_event=None,
        )
        self._identify_pause_s = settings.identify_pause_s
        self._identified = identified

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Pace the logins, and stop before the day's are spent."""
        found = await self.http.request(Route("GET", "/gateway/bot"))
        limit = found["session_start_limit"]
        if limit["remaining"] <= _STARTS_KEPT:
            wait_s = limit["reset_after"] / 1000
            log.error("gateway.starts_spent", shard_id=shard_id, remaining=limit["remaining"], wait_s=wait_s)
            await asyncio.sleep(wait_s)
        if not initial:
            await asyncio.sleep(self._identify_pause_s)
        self._identified()

    @staticmethod
    async def _db_setup() -> None:
        """Nothing: ezcord would read `.env` into the process's environment here."""

    async def on_error(self, event_method: str, *_args: object, **_kwargs: object) -> None:
        """A listener raised."""
        log.error("listener.failed", listener=event_method, exc_info=sys.exception())

    async def on_application_command_error(
        self, context: discord.ApplicationContext, exception: discord.DiscordException
    ) -> None:
        """A command raised: the user is told as much as helps them, the log everything."""
        error = getattr(exception, "original", exception)
        name = context.command.qualified_name if context.command is not None else "?"
        if isinstance(error, discord.HTTPException) and error.code in {_UNKNOWN_INTERACTION, _ALREADY_ACKNOWLEDGED}:
            log.warning("command.answered_too_late", command=name, code=error.code)
            return
        if isinstance(error, discord.CheckFailure | commands.CheckFailure):
            text = say(context.locale, "not_allowed")
        elif isinstance(error, commands.CommandOnCooldown):
            text = say(context.locale, "slow_down")
        elif isinstance(error, Unavailable):
            text = say(context.locale, "unavailable")
        elif isinstance(error, ServiceError):
            text = error.detail
        else:
            error_id = uuid4().hex[:12]
            log.error("command.failed", command=name, error_id=error_id, error=type(error).__name__, exc_info=error)
            text = say(context.locale, "failed", error_id=error_id)
        await self._reply(context.interaction, text)

    async def on_unknown_application_command(self, interaction: discord.Interaction) -> None:
        """A command that Discord remembers and the bot does not have."""
        log.warning("command.unknown", guild_id=interaction.guild_id)
        await self._reply(interaction, say(interaction.locale, "unknown"))

    async def _reply(self, interaction: discord.Interaction, text: str) -> None:
        try:
            if interaction.response.is_done():
                await interaction.followup.send(text, ephemeral=True)
            else:
                await interaction.response.send_message(text, ephemeral=True)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("command.reply_failed", error=type(error).__name__)

    def connected(self, shard_id: int) -> bool:
        """Whether the bot is logged in and this shard's connection is open."""
        shard = self.get_shard(shard_id)
        return self.is_ready() and shard is not None and not shard.is_closed()
