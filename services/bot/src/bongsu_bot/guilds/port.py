"""What the bot needs of Discord about one guild, asked over REST and never answered from memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

ADMINISTRATOR: Final = 1 << 3
MANAGE_GUILD: Final = 1 << 5


@dataclass(frozen=True, slots=True)
class GuildFacts:
    """Who owns a guild, and what each role may do; the role with the guild's id is everyone's."""

    id: int
    owner_id: int
    roles: Mapping[int, int]


class GuildDirectory(Protocol):
    """Discord."""

    async def facts(self, guild_id: int) -> GuildFacts:
        """A guild.

        :raises GuildNotFound: the bot is not in it.
        :raises Unavailable: Discord does not answer.
        """

    async def roles_of(self, guild_id: int, user_id: int) -> frozenset[int] | None:
        """A member's roles besides everyone's; None for who is no member.

        :raises Unavailable: Discord does not answer.
        """

    async def leave(self, guild_id: int) -> None:
        """Leave a guild; not to be in it is no error.

        :raises Unavailable: Discord does not answer.
        """
