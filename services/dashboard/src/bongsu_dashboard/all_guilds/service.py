"""The servers that the bot is in, making it leave one, and the block list, for administrators of the project."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bongsu.contracts.blocked_guilds import BlockedGuildList
from bongsu.contracts.guilds import GuildSummary
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import GuildNotFound, NameNotTyped
from bongsu_dashboard.guilds.bot_health import unless_silent
from bongsu_dashboard.guilds.names import is_typed
from bongsu_dashboard.guilds.port import Bot, GuildDirectory

PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class GuildsPage:
    """Guilds by their IDs; more follow after `next`. `items` is None while the bot does not answer."""

    items: Sequence[GuildSummary] | None
    next: int | None = None


class AllGuilds:
    """Asks the bot, which checks the role of the user before it leaves a guild."""

    def __init__(self, directory: GuildDirectory, bot: Bot) -> None:
        self._directory = directory
        self._bot = bot

    async def list_page(self, after: int | None, search: str) -> GuildsPage:
        """List a page of the guilds.

        :param search: a part of the name, or the ID of the guild or of its owner; empty for all.
        """
        found = await unless_silent(self._bot.list_all_guilds(after=after, limit=PAGE, search=search or None))
        return GuildsPage(found.guilds, found.next) if found is not None else GuildsPage(None)

    async def list_blocked(self, after: int | None) -> BlockedGuildList | None:
        """List a page of the block list; None while the bot does not answer."""
        return await unless_silent(self._bot.list_blocked(after=after, limit=PAGE))

    async def block(self, browser: Browser, guild_id: int, *, reason: str, key: str) -> None:
        """Block a guild, which the bot then leaves.

        :raises Forbidden, BotSilent: as `Bot.block_guild`.
        """
        assertion = await self._directory.create_assertion(browser, method="guild_block", guild_id=guild_id)
        await self._bot.block_guild(guild_id, reason=reason, assertion=assertion, key=key)

    async def unblock(self, browser: Browser, guild_id: int, *, key: str) -> None:
        """Take a guild off the block list.

        :raises Forbidden, BotSilent: as `Bot.unblock_guild`.
        """
        assertion = await self._directory.create_assertion(browser, method="guild_unblock", guild_id=guild_id)
        await self._bot.unblock_guild(guild_id, assertion=assertion, key=key)

    async def find(self, guild_id: int) -> GuildSummary:
        """Return a guild that the bot is in.

        :raises GuildNotFound: the bot is not in it.
        :raises BotSilent: the bot does not answer.
        """
        page = (await self._bot.list_all_guilds(after=guild_id - 1, limit=1)).guilds if guild_id else ()
        if not page or page[0].id != guild_id:
            raise GuildNotFound
        return page[0]

    async def remove(self, browser: Browser, guild_id: int, *, typed: str, key: str) -> None:
        """Make the bot leave a guild, once for each `key`.

        :param typed: the text that the user typed for the guild's name.
        :raises GuildNotFound, BotSilent: as `find`.
        :raises NameNotTyped: the text is not the guild's name.
        :raises Forbidden, RemovalOutdated, RemovalUnknown: as `Bot.leave_guild`.
        """
        guild = await self.find(guild_id)
        if not is_typed(typed, guild.name, guild_id):
            raise NameNotTyped
        assertion = await self._directory.create_assertion(browser, method="guild_expel", guild_id=guild_id)
        await self._bot.leave_guild(guild_id, assertion=assertion, key=key, as_administrator=True)
