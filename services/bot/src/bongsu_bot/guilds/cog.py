"""Listens to the gateway's events about guilds."""

import discord
import ezcord

from bongsu_bot.blocked_guilds.service import BlockedGuilds
from bongsu_bot.bot import BongsuBot
from bongsu_bot.guilds import service
from bongsu_bot.guilds.reconciler import GuildReconciler
from bongsu_bot.guilds.recorder import GuildRecorder
from bongsu_bot.guilds.service import GuildSnapshot


class GuildListeners(ezcord.Cog, hidden=True):
    """Passes what happens to a guild to the recorder, and the beginning of a session to the reconciler."""

    bot: BongsuBot

    @ezcord.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        self._upsert(guild)

    @ezcord.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """The guild is available, at the login or after an outage."""
        self._upsert(guild)

    @ezcord.Cog.listener()
    async def on_guild_update(self, _before: discord.Guild, after: discord.Guild) -> None:
        self._upsert(after)

    @ezcord.Cog.listener()
    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        """An outage began: the bot is still in the guild."""
        self._recorder.record([guild.shard_id], service.mark_unavailable, guild.id)

    @ezcord.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        self.bot.find(GuildReconciler).see(guild.id)
        self._recorder.record([guild.shard_id], service.mark_left, guild.id)

    @ezcord.Cog.listener()
    async def on_ready(self) -> None:
        """A session began: Discord's list says what happened before it."""
        self.bot.find(GuildReconciler).request([guild.id for guild in self.bot.guilds if guild.unavailable])

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
        self.bot.find(GuildReconciler).see(guild.id)
        self._recorder.record([guild.shard_id], service.upsert, snapshot)
        self.bot.find(BlockedGuilds).check(guild.id)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(GuildListeners(bot))
