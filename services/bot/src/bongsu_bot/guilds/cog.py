"""Listens to the gateway's events about guilds."""

import discord
import ezcord

from bongsu.runtime.logging import get_logger
from bongsu_bot.bot import BongsuBot
from bongsu_bot.guilds import service
from bongsu_bot.guilds.recorder import GuildRecorder
from bongsu_bot.guilds.service import GuildSnapshot
from bongsu_bot.rest import CONNECTION_ERRORS
from bongsu_bot.shards.assignment import ShardAssignment

log = get_logger(__name__)
_PAGE = 200


class GuildListeners(ezcord.Cog, hidden=True):
    """Passes what happens to a guild to the recorder.

    The gateway does not report what happened between two sessions, so after each login the list comes from REST.
    """

    bot: BongsuBot

    @ezcord.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """The bot was added."""
        self._upsert(guild)

    @ezcord.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """The guild is available, at the login or after an outage."""
        self._upsert(guild)

    @ezcord.Cog.listener()
    async def on_guild_update(self, _before: discord.Guild, after: discord.Guild) -> None:
        """The guild's name, icon or owner changed."""
        self._upsert(after)

    @ezcord.Cog.listener()
    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        """An outage began: the bot is still in the guild."""
        self._recorder.record(service.mark_unavailable, guild.id)

    @ezcord.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot left or was removed."""
        self._recorder.record(service.mark_left, guild.id)

    @ezcord.Cog.listener()
    async def on_ready(self) -> None:
        """Reconcile the stored guilds with Discord's list."""
        try:
            present = await self._fetch_ids()
        except (discord.HTTPException, *CONNECTION_ERRORS) as error:
            log.warning("guilds.not_reconciled", error=type(error).__name__)
            return
        shards = self.bot.find(ShardAssignment)
        self._recorder.record(service.reconcile, present, own=shards.own, shards=shards.total)
        for guild in self.bot.guilds:
            if guild.id in present and guild.unavailable:
                self._recorder.record(service.mark_unavailable, guild.id)

    async def _fetch_ids(self) -> set[int]:
        present: set[int] = set()
        after: int | None = None
        while True:
            page = await self.bot.http.get_guilds(_PAGE, after=after, with_counts=False)
            present.update(int(guild["id"]) for guild in page)
            if len(page) < _PAGE:
                return present
            after = max(present)

    @property
    def _recorder(self) -> GuildRecorder:
        return self.bot.find(GuildRecorder)

    def _upsert(self, guild: discord.Guild) -> None:
        me = guild.get_member(self.bot.user.id) if self.bot.user is not None else None
        snapshot = GuildSnapshot(
            id=guild.id,
            name=guild.name,
            icon=guild.icon.key if guild.icon is not None else None,
            owner_id=guild.owner_id,
            member_count=guild.member_count,
            joined_at=me.joined_at if me is not None else None,
        )
        self._recorder.record(service.upsert, snapshot)


def setup(bot: BongsuBot) -> None:
    """Add the cog."""
    bot.add_cog(GuildListeners(bot))
