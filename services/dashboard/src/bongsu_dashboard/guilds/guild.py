"""Guilds, as auth returns them and as pages show them."""

import re
from datetime import datetime
from typing import Final, Literal

from pydantic import ValidationInfo, field_validator

from bongsu.contracts.guilds import Snowflake
from bongsu.contracts.text import is_visible
from bongsu_dashboard.upstream import Received

State = Literal["active", "pending", "not_added", "outage", "unknown"]
FILTERS: Final = ("all", "active", "not_added", "attention")
TILES: Final = 8
"""The number of colours for guilds without a picture."""

_ICON = re.compile(r"^(a_)?[0-9a-f]{16,64}$")


class ManagedGuild(Received):
    """A guild that the user manages, as Discord returns it."""

    id: Snowflake
    name: str
    icon: str | None = None
    owner: bool = False

    @field_validator("name")
    @classmethod
    def _is_visible(cls, name: str, others: ValidationInfo) -> str:
        # Discord allows names of blanks and fillers alone.
        return name if is_visible(name) else str(others.data.get("id", name))

    @property
    def tile(self) -> int:
        """The number of its colour, the same on every page."""
        return (self.id >> 22) % TILES

    @property
    def initials(self) -> str:
        """The text in place of a picture: a syllable, or the first letters of two words."""
        words = ["".join(char for char in word if char.isalnum()) for word in self.name.split()]
        words = [word for word in words if word] or ["?"]
        first = words[0][0]
        if not first.isascii():
            return first
        return (first + (words[1][0] if len(words) > 1 else words[0][1:2])).upper()

    @property
    def picture(self) -> str | None:
        """The path of its icon on Discord's CDN; None if it has none, or if the hash is malformed."""
        if self.icon is None or not _ICON.match(self.icon):
            return None
        return f"/icons/{self.id}/{self.icon}.png?size=96"


class ManagedGuilds(Received):
    """The guilds that the user manages, as of `fetched_at`. `stale`: Discord has not answered since.

    `others` are those that the user is in and does not manage.
    """

    items: tuple[ManagedGuild, ...]
    others: tuple[ManagedGuild, ...] = ()
    fetched_at: datetime
    stale: bool = False


class Guild(ManagedGuild):
    """A guild that the user manages, and the bot's state in it."""

    state: State
    connected: bool = True
    """Whether the bot receives the guild's events now. If not, an `outage` is the bot's own."""
    members: int | None = None
    joined_at: datetime | None = None

    @property
    def has_bot(self) -> bool:
        """Whether the bot is in the guild, also during an outage."""
        return self.state in ("active", "outage")
