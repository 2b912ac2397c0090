"""What is known of a guild."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bongsu.contracts.guilds import Snowflake
from bongsu_dashboard.upstream import Received

State = Literal["active", "pending", "not_added", "outage", "unknown"]
FILTERS: Final = ("all", "active", "not_added", "attention")
TILES: Final = 8
"""How many colours there are for guilds without a picture."""

_ICON = re.compile(r"^(a_)?[0-9a-f]{16,64}$")


class ManagedGuild(Received):
    """A guild that the user manages, as Discord tells it."""

    id: Snowflake
    name: str
    icon: str | None = None
    owner: bool = False


class ManagedGuilds(Received):
    """All of them, when Discord was asked, and whether it could not be asked since."""

    items: tuple[ManagedGuild, ...]
    fetched_at: datetime
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Guild:
    """A guild that the user manages, and how the bot stands to it."""

    id: int
    name: str
    icon: str | None
    owner: bool
    state: State
    members: int | None = None
    joined_at: datetime | None = None

    @property
    def tile(self) -> int:
        """Which of the colours is its own: the same on every page."""
        return (self.id >> 22) % TILES

    @property
    def initials(self) -> str:
        """What stands in for its picture: a syllable, or the first letters of two words."""
        words = ["".join(char for char in word if char.isalnum()) for word in self.name.split()]
        words = [word for word in words if word] or ["?"]
        first = words[0][0]
        if not first.isascii():
            return first
        return (first + (words[1][0] if len(words) > 1 else words[0][1:2])).upper()

    @property
    def picture(self) -> str | None:
        """The path of its icon at Discord's CDN; None where Discord's hash is not one."""
        if self.icon is None or not _ICON.match(self.icon):
            return None
        return f"/icons/{self.id}/{self.icon}.png?size=96"
