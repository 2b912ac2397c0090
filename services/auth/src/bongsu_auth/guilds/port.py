"""Where a user's guilds are known."""

from dataclasses import dataclass
from typing import Protocol

ADMINISTRATOR = 0x8
MANAGE_GUILD = 0x20


@dataclass(frozen=True, slots=True)
class Guild:
    """A guild, as one of its members sees it.

    :param icon: Discord's hash of the picture, or None.
    :param owner: whether it is theirs.
    :param permissions: what they may do in it: Discord's bit field.
    """

    id: str
    name: str
    icon: str | None
    owner: bool
    permissions: int

    @property
    def manageable(self) -> bool:
        """Whether they may add and configure bots."""
        return self.owner or bool(self.permissions & (ADMINISTRATOR | MANAGE_GUILD))


class GuildSource(Protocol):
    """Discord, as far as guilds are concerned."""

    async def guilds(self, access_token: str) -> tuple[Guild, ...]:
        """All guilds of the user whose token it is; raises `ProviderFailed`."""
