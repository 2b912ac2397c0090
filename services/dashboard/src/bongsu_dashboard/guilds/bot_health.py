"""The bot's connection to Discord, as pages show it."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from bongsu.contracts.rpc import BotStatus, ShardStatus, shard_of
from bongsu_dashboard.errors import BotSilent

T = TypeVar("T")

Connection = Literal["connected", "partly", "cut_off", "refused", "silent"]
"""`partly`: some shards; `cut_off`: no shard; `refused`: Discord refuses the bot's settings; `silent`: the bot itself
does not answer."""


async def unless_silent(answer: Awaitable[T]) -> T | None:
    """Wait for an answer of the bot; None if it does not answer, for a page that shows the rest."""
    try:
        return await answer
    except BotSilent:
        return None


@dataclass(frozen=True, slots=True)
class BotHealth:
    """The last answer of the bot about itself; None if it does not answer. Every page reads the bot's state here."""

    status: BotStatus | None

    @property
    def connection(self) -> Connection:
        """The bot's connection as a whole."""
        if self.status is None or all(shard.state == "unreachable" for shard in self.status.shards):
            return "silent"
        if not self._disconnected:
            return "connected"
        if any(shard.state == "connected" for shard in self.status.shards):
            return "partly"
        return "refused" if any(shard.state == "refused" for shard in self._disconnected) else "cut_off"

    @property
    def since(self) -> datetime | None:
        """When the first of the disconnected shards was disconnected."""
        return min((shard.since for shard in self._disconnected if shard.since is not None), default=None)

    @property
    def guilds(self) -> int:
        """The number of guilds that the bot is in, on the shards that answered."""
        return sum(shard.guilds or 0 for shard in self._shards)

    @property
    def shards(self) -> int:
        return len(self._shards)

    @property
    def shards_connected(self) -> int:
        return len(self._shards) - len(self._disconnected)

    def is_connected(self, guild_id: int) -> bool:
        """Whether the bot receives the guild's events now."""
        return bool(self._shards) and self._shards[shard_of(guild_id, len(self._shards))].state == "connected"

    def shard_status(self, guild_id: int) -> ShardStatus | None:
        """Return the health of the guild's shard."""
        return self._shards[shard_of(guild_id, len(self._shards))] if self._shards else None

    @property
    def _shards(self) -> tuple[ShardStatus, ...]:
        return self.status.shards if self.status is not None else ()

    @property
    def _disconnected(self) -> list[ShardStatus]:
        return [shard for shard in self._shards if shard.state != "connected"]
