"""What modules post into their channels, beside the work that they report on."""

import asyncio
from collections import deque
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
WAITING_PER_GUILD: Final = 50
"""Posts of a guild that wait at most; the newest are dropped beyond that."""
POST_DEADLINE_S: Final = 30.0
FindGuild = Callable[[int], discord.Guild | None]
_Post = tuple[ModuleName, str, str, dict[str, object]]


class ModulePosts:
    """Posts into each guild one after the other, so that no guild or command waits for a slow one.

    A post that fails, or is not done in time, is logged and forgotten.

    :param find_guild: for the language of a guild.
    :param deadline_s: how long a post may take.
    """

    def __init__(
        self,
        database: Database,
        messages: DiscordMessages,
        find_guild: FindGuild,
        *,
        deadline_s: float = POST_DEADLINE_S,
    ) -> None:
        self._database = database
        self._messages = messages
        self._find_guild = find_guild
        self._deadline_s = deadline_s
        self._waiting: dict[int, deque[_Post]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end, forget what waits."""
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

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
        waiting = self._waiting.get(guild_id)
        if waiting is not None and len(waiting) >= WAITING_PER_GUILD:
            log.warning("module.post_dropped", guild_id=guild_id, module=module, reason="queue_full")
            return
        if waiting is None:
            waiting = self._waiting[guild_id] = deque()
            task = asyncio.create_task(self._run(guild_id, waiting), name=f"module posts {guild_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting.append((module, nonce, key, values))

    async def _run(self, guild_id: int, waiting: deque[_Post]) -> None:
        """Post what waits for a guild, until nothing does."""
        while waiting:
            module, nonce, key, values = waiting.popleft()
            try:
                async with asyncio.timeout(self._deadline_s):
                    await self._post(guild_id, module, nonce, key, values)
            except TimeoutError:
                log.warning("module.post_dropped", guild_id=guild_id, module=module, reason="deadline")
            except (ServiceError, SQLAlchemyError, MixinError, OSError) as error:
                log.info("module.not_posted", guild_id=guild_id, module=module, error=type(error).__name__)
            except Exception as error:
                # A defect in one post must not stop those after it.
                log.exception("module.post_failed", guild_id=guild_id, module=module, error=type(error).__name__)
        del self._waiting[guild_id]

    async def _post(self, guild_id: int, module: ModuleName, nonce: str, key: str, values: dict[str, object]) -> None:
        channel_id = await self._database.run(find_channel, guild_id, module)
        if channel_id is None:
            return
        guild = self._find_guild(guild_id)
        language = "ko" if guild is not None and guild.preferred_locale == "ko" else "en"
        await self._messages.post(channel_id, nonce=nonce, text=text_in(language, key, **values), embed=None)
