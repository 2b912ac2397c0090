"""The source of a user's guilds."""

from dataclasses import dataclass
from typing import Protocol

ADMINISTRATOR = 0x8
MANAGE_GUILD = 0x20


@dataclass(frozen=True, slots=True)
class Guild:
    """A guild and the permissions of one of its members.

    :param icon: Discord's hash of the picture, or None.
    :param owner: whether the member owns it.
    :param permissions: the member's, as Discord's bit field.
    """

    id: str
    name: str
    icon: str | None
    owner: bool
    permissions: int

    @property
    def manageable(self) -> bool:
        """Return whether the member may add and configure bots."""
        return self.owner or bool(self.permissions & (ADMINISTRATOR | MANAGE_GUILD))


class GuildSource(Protocol):
    """Discord's API for guilds."""

    async def list_guilds(self, access_token: str) -> tuple[Guild, ...]:
        """Return every guild of the token's user; raises `ProviderFailed`."""
