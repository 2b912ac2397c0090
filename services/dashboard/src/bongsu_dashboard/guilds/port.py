"""What the dashboard needs of auth and of the bot about guilds."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from bongsu.contracts.blocked_guilds import BlockedGuildList
from bongsu.contracts.guild_commands import GuildCommands
from bongsu.contracts.guilds import GuildSummary
from bongsu.contracts.rpc import (
    BotStatus,
    DelegatedGuilds,
    GuildDetail,
    GuildHistory,
    GuildList,
    GuildModules,
    ModuleDelegation,
    ModuleName,
    ModuleState,
)
from bongsu_dashboard.browser import Browser, Redirect
from bongsu_dashboard.guilds.guild import ManagedGuilds


class GuildDirectory(Protocol):
    """The user's guilds at Discord, by way of auth. Each method raises ServiceDown while auth does not answer."""

    async def list_managed(self, browser: Browser, *, fresh: bool) -> ManagedGuilds:
        """List the guilds that the user manages; without `fresh`, up to a minute old.

        :raises DiscordNotLinked: the account has no Discord identity, or Discord revoked its grant.
        :raises Unavailable: Discord does not answer.
        """

    async def create_install(self, browser: Browser, guild_id: int, next_path: str) -> Redirect:
        """Start adding the bot to a guild at Discord, which sends the browser back to `next_path`.

        :raises GuildNotFound: the user does not manage the guild, as Discord says now.
        :raises DiscordNotLinked, Unavailable: as `list_managed`.
        """

    async def create_assertion(self, browser: Browser, *, method: str, guild_id: int) -> str:
        """Issue an assertion for one call of the bot's IPC about one guild."""


class Bot(Protocol):
    """The bot. Each method raises BotSilent if it does not answer in time."""

    async def fetch_status(self, *, counted: bool = True) -> BotStatus:
        """Return the health of all shards, in order, with or without the number of guilds on each."""

    async def list_guilds(self, ids: Sequence[int]) -> Mapping[int, GuildSummary]:
        """Return those of the guilds that the bot is or was in."""

    async def list_all_guilds(self, *, after: int | None, limit: int, search: str | None = None) -> GuildList:
        """Return a page of all guilds that the bot is in, for administrators.

        :param search: a part of the name, or the ID of the guild or of its owner.
        """

    async def list_blocked(self, *, after: int | None, limit: int) -> BlockedGuildList:
        """Return a page of the block list, for administrators."""

    async def is_blocked(self, guild_id: int) -> bool:
        """Return whether a guild is on the block list."""

    async def block_guild(self, guild_id: int, *, reason: str, assertion: str, key: str) -> None:
        """Block a guild, which the bot then leaves.

        :raises Forbidden: the user is no administrator, or the assertion was refused.
        """

    async def unblock_guild(self, guild_id: int, *, assertion: str, key: str) -> None:
        """Take a guild off the block list; do nothing if it is not on it.

        :raises Forbidden: as `block_guild`.
        """

    async def load_detail(self, guild_id: int) -> GuildDetail | None:
        """Return what the bot may do in a guild; None if the bot is not in it."""

    async def load_history(self, guild_id: int) -> GuildHistory:
        """Return the newest changes of a guild, and the newest uses of commands in it."""

    async def load_modules(self, guild_id: int) -> GuildModules:
        """Return the modules of a guild, with what keeps each from working."""

    async def put_module(  # noqa: PLR0913 - a request's fields
        self,
        guild_id: int,
        module: ModuleName,
        *,
        enabled: bool,
        channel_id: int | None,
        revision: int,
        assertion: str,
        key: str,
    ) -> ModuleState:
        """Set a module, once for each `key`.

        :raises Forbidden: the user does not manage the guild, or the assertion was refused.
        :raises ModuleOutdated: the module has another revision.
        :raises ChannelNotWritable: the bot does not see the channel.
        """

    async def list_delegated(self, user_id: UUID, ids: Sequence[int], *, after: int | None = None) -> DelegatedGuilds:
        """Return a page of those of the guilds whose modules the user may manage by a role that the user has now."""

    async def load_delegation(self, guild_id: int) -> ModuleDelegation:
        """Return which role may manage the modules of a guild."""

    async def put_delegation(
        self, guild_id: int, *, role_id: int | None, revision: int, assertion: str, key: str
    ) -> ModuleDelegation:
        """Set which role may manage the modules of a guild, once for each `key`.

        :raises Forbidden: the user does not manage the guild, or the assertion was refused.
        :raises AccessOutdated: the delegation has another revision.
        :raises RoleUnknown: the guild has no such role.
        """

    async def load_commands(self, guild_id: int) -> GuildCommands:
        """Return the commands that can be switched off in a guild, and whether they are."""

    async def put_commands(
        self, guild_id: int, *, off: Sequence[str], revision: int, assertion: str, key: str
    ) -> GuildCommands:
        """Set which commands are off in a guild, once for each `key`.

        :raises Forbidden: the user does not manage the guild, or the assertion was refused.
        :raises CommandsOutdated: the commands have another revision.
        """

    async def leave_guild(self, guild_id: int, *, assertion: str, key: str, as_administrator: bool = False) -> None:
        """Leave a guild, once for each `key`; do nothing if the bot is not in it.

        :param as_administrator: the assertion is for `guild_expel`.
        :raises Forbidden: the user does not manage the guild or is no administrator, or the assertion was refused.
        :raises RemovalOutdated: the key removed the bot before, and the bot has been added again since.
        :raises RemovalUnknown: no answer came in time.
        :raises BotNotRemoved: the bot did not answer, and has not left.
        """
