"""What the rules about guilds need of Discord: read over REST at that moment, never from a cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

ADMINISTRATOR: Final = 1 << 3
MANAGE_GUILD: Final = 1 << 5


@dataclass(frozen=True, slots=True)
class GuildPermissions:
    """The owner of a guild, and the permission bits of each role. The role with the guild's ID is @everyone.

    `managed` are the roles of integrations, such as those of bots, which cannot be given to a member.
    """

    id: int
    name: str
    owner_id: int
    roles: Mapping[int, int]
    managed: frozenset[int] = frozenset()

    @property
    def assignable(self) -> frozenset[int]:
        """The roles that a manager can give to members."""
        return frozenset(self.roles) - self.managed - {self.id}


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel that the bot sees. `guild_id` is None for direct messages."""

    id: int
    name: str
    guild_id: int | None


@dataclass(frozen=True, slots=True)
class ListedGuild:
    """A guild in Discord's list of the bot's guilds. `member_count` is approximate."""

    id: int
    name: str
    icon: str | None
    member_count: int | None


class GuildDirectory(Protocol):
    """Guilds at Discord. Each method raises Unavailable when Discord does not answer."""

    async def list_guilds(self) -> Sequence[ListedGuild]:
        """List all guilds that the bot is in."""

    async def get_permissions(self, guild_id: int) -> GuildPermissions:
        """Get the owner and the roles of a guild.

        :raises GuildNotFound: the bot is not in it.
        """

    async def get_member_roles(self, guild_id: int, user_id: int) -> frozenset[int] | None:
        """Get a member's roles without @everyone; None if the user is not a member."""

    async def get_channel(self, channel_id: int) -> ChannelInfo:
        """Get a channel.

        :raises ChannelNotFound: it does not exist, or the bot does not see it.
        """

    async def leave(self, guild_id: int) -> None:
        """Leave a guild; do nothing if the bot is not in it."""
