"""What modules post into their channels, beside the work that they report on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import discord
from sqlalchemy.exc import SQLAlchemyError

from bongsu.contracts.rpc import ModuleName
from bongsu.mixins import Database, MixinError
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.logging import get_logger
from bongsu_bot.language import text_in
from bongsu_bot.messages.port import DiscordMessages
from bongsu_bot.modules.service import find_channel

log = get_logger(__name__)
WAITING: Final = 1000
"""Posts that wait at most; the newest are dropped beyond that."""
FindGuild = Callable[[int], discord.Guild | None]


class ModulePosts:
    """Posts one after the other, so that a busy channel delays no command. A post that fails is logged and forgotten.

    :param find_guild: for the language of a guild.
    """

    def __init__(self, database: Database, messages: DiscordMessages, find_guild: FindGuild) -> None:
        self._database = database
        self._messages = messages
        self._find_guild = find_guild
        self._waiting: asyncio.Queue[tuple[int, ModuleName, str, str, dict[str, object]]] = asyncio.Queue(WAITING)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Post while the block runs."""
        task = asyncio.create_task(self._run(), name="module posts")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def log(self, guild_id: int, nonce: str, key: str, /, **values: object) -> None:
        """Queue a line for the log channel.

        :param nonce: of the post: at most 25 characters.
        :param key: of the text, in `language.toml`.
        """
        self._queue(guild_id, "log", nonce, key, values)

    def feed(self, guild_id: int, nonce: str, key: str, /, **values: object) -> None:
        """Queue a line for the feed; parameters as in `log`."""
        self._queue(guild_id, "feed", nonce, key, values)

    def _queue(self, guild_id: int, module: ModuleName, nonce: str, key: str, values: dict[str, object]) -> None:
        try:
            self._waiting.put_nowait((guild_id, module, nonce, key, values))
        except asyncio.QueueFull:
            log.warning("module.post_dropped", guild_id=guild_id, module=module)

    async def _run(self) -> None:
        while True:
            guild_id, module, nonce, key, values = await self._waiting.get()
            try:
                await self._post(guild_id, module, nonce, key, values)
            except (ServiceError, SQLAlchemyError, MixinError, OSError) as error:
                log.info("module.not_posted", guild_id=guild_id, module=module, error=type(error).__name__)
            except Exception as error:
                # A defect in one post must not stop those after it.
                log.exception("module.post_failed", guild_id=guild_id, module=module, error=type(error).__name__)

    async def _post(self, guild_id: int, module: ModuleName, nonce: str, key: str, values: dict[str, object]) -> None:
        channel_id = await self._database.run(find_channel, guild_id, module)
        if channel_id is None:
            return
        guild = self._find_guild(guild_id)
        language = "ko" if guild is not None and guild.preferred_locale == "ko" else "en"
        await self._messages.post(channel_id, nonce=nonce, text=text_in(language, key, **values), embed=None)
