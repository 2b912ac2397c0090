"""What the dashboard needs of auth and of the bot about guilds."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from bongsu.contracts.guilds import GuildSummary
from bongsu.contracts.rpc import GuildCount
from bongsu_dashboard.browser import Browser, Redirect
from bongsu_dashboard.guilds.guild import ManagedGuilds


class GuildDirectory(Protocol):
    """What Discord says of the user, by way of auth. Each method raises ServiceDown where auth does not answer."""

    async def managed(self, browser: Browser, *, fresh: bool) -> ManagedGuilds:
        """The guilds that the user manages now; without `fresh`, as they were within the last minute.

        :raises DiscordNotLinked: the account has no Discord identity, or Discord no longer honours it.
        :raises Unavailable: Discord does not answer.
        """

    async def install(self, browser: Browser, guild_id: int, next_path: str) -> Redirect:
        """Where the browser has to go to add the bot; it comes back to `next_path`."""

    async def assertion(self, browser: Browser, *, method: str, guild_id: int) -> str:
        """The user's word, for one action of the bot in one guild."""


class Bot(Protocol):
    """The bot. Each method raises BotSilent where it does not answer in time."""

    async def count(self) -> GuildCount:
        """In how many guilds it is, and how many of its shards said so."""

    async def guilds(self, ids: Sequence[int]) -> Mapping[int, GuildSummary]:
        """What it knows of these guilds, those that it left included; others are missing."""

    async def leave(self, guild_id: int, *, assertion: str, key: str) -> None:
        """Leave a guild; the same `key` leaves once. Where it is not in the guild (any more), nothing is to be done.

        :raises Forbidden: the user does not manage the guild, or their word was not believed.
        """
