"""What the gateway tells of guilds."""

from collections.abc import Sequence

import aiohttp
import discord
from discord.ext import commands

from bongsu.runtime.logging import get_logger
from bongsu_bot.guilds import service
from bongsu_bot.guilds.recorder import GuildRecorder
from bongsu_bot.guilds.service import GuildSnapshot

log = get_logger(__name__)
_PAGE = 200


class GuildListeners(commands.Cog):
    """Hands everything that happens to a guild to the recorder.

    py-cord forgets a guild only when it is told, and it is told nothing of what happened between two sessions: after
    each login the list comes from REST.
    """

    def __init__(self, bot: discord.AutoShardedBot, recorder: GuildRecorder, own_shards: Sequence[int]) -> None:
        self._bot = bot
        self._recorder = recorder
        self._own_shards = own_shards

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """The bot was added."""
        self._upsert(guild)

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """A guild came up, at the login or after an outage."""
        self._upsert(guild)

    @commands.Cog.listener()
    async def on_guild_update(self, _before: discord.Guild, after: discord.Guild) -> None:
        """A guild has another name, icon or owner."""
        self._upsert(after)

    @commands.Cog.listener()
    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        """An outage: the bot is still in the guild."""
        self._recorder.record(service.mark_unavailable, guild.id)

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot left or was put out."""
        self._recorder.record(service.mark_left, guild.id)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Logged in: what is written down is compared with what Discord says."""
        try:
            present = await self._present()
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("guilds.not_compared", error=type(error).__name__)
            return
        shards = self._bot.shard_count or 1
        self._recorder.record(service.reconcile, present, own=self._own_shards, shards=shards)
        for guild in self._bot.guilds:
            if guild.id in present and guild.unavailable:
                await self.on_guild_unavailable(guild)

    async def _present(self) -> set[int]:
        present: set[int] = set()
        after: int | None = None
        while True:
            page = await self._bot.http.get_guilds(_PAGE, after=after, with_counts=False)
            present.update(int(guild["id"]) for guild in page)
            if len(page) < _PAGE:
                return present
            after = max(present)

    def _upsert(self, guild: discord.Guild) -> None:
        me = guild.get_member(self._bot.user.id) if self._bot.user is not None else None
        snapshot = GuildSnapshot(
            id=guild.id,
            name=guild.name,
            icon=guild.icon.key if guild.icon is not None else None,
            owner_id=guild.owner_id,
            member_count=guild.member_count,
            joined_at=me.joined_at if me is not None else None,
        )
        self._recorder.record(service.upsert, snapshot)
