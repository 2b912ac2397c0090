"""What Discord's stand-in knows and keeps between runs: people, guilds, commands and who allowed what."""

import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bongsu.runtime.logging import get_logger
from bongsu_sandbox.discord.applications.models import BOT_NAME
from bongsu_sandbox.discord.errors import Wire, unknown
from bongsu_sandbox.discord.guilds.models import Guild, Member, Role
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.users.personas import BOT_STARTS_IN, PERSONAS, made_guilds

log = get_logger(__name__)


class Grant(BaseModel):
    """What a user allowed the application, and the tokens that say so."""

    user_id: int
    scopes: list[str]
    access_token: str
    refresh_token: str
    expires_at: datetime


class Snapshot(BaseModel):
    """Everything that is kept."""

    users: dict[int, User]
    guilds: dict[int, Guild]
    commands: list[Wire] = []
    grants: list[Grant] = []


class World:
    """Holds the state and writes it to its file at each `save`, whole and at once."""

    def __init__(self, path: Path, bot: User) -> None:
        self._path = path
        self._bot = bot
        path.parent.mkdir(parents=True, exist_ok=True)
        self._state = self._read() or self._first()

    @property
    def users(self) -> dict[int, User]:
        """People by their ids."""
        return self._state.users

    @property
    def guilds(self) -> dict[int, Guild]:
        """Guilds by their ids."""
        return self._state.guilds

    @property
    def commands(self) -> list[Wire]:
        """The application's global commands."""
        return self._state.commands

    @property
    def grants(self) -> list[Grant]:
        """What was allowed and has not been revoked."""
        return self._state.grants

    def user(self, user_id: int | None) -> User:
        """A person or the bot.

        :raises DiscordError: there is none of that id.
        """
        if user_id == self._bot.id:
            return self._bot
        found = self.users.get(user_id or 0)
        if found is None:
            raise unknown("User")
        return found

    def guild(self, guild_id: int | None) -> Guild:
        """A guild.

        :raises DiscordError: there is none of that id.
        """
        found = self.guilds.get(guild_id or 0)
        if found is None:
            raise unknown("Guild")
        return found

    def set_commands(self, commands: list[Wire]) -> None:
        """Replace the commands."""
        self._state.commands = commands
        self.save()

    def set_grants(self, grants: list[Grant]) -> None:
        """Replace the grants."""
        self._state.grants = grants
        self.save()

    def save(self) -> None:
        """Write everything down; a process that is killed leaves the file as it was or as it is."""
        made = self._path.with_suffix(".new")
        made.write_text(self._state.model_dump_json(), encoding="utf-8")
        os.replace(made, self._path)  # noqa: PTH105 - the rename that is atomic

    def reset(self) -> None:
        """Everything as it was at first, but for the commands."""
        self._state = self._first().model_copy(update={"commands": self.commands})
        self.save()

    def _read(self) -> Snapshot | None:
        try:
            return Snapshot.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("discord.state_unreadable", path=str(self._path))
            return None

    def _first(self) -> Snapshot:
        guilds = made_guilds()
        for guild in guilds:
            if guild.id in BOT_STARTS_IN:
                add_bot(guild, self._bot, permissions=0)
        return Snapshot(
            users={user.id: user.model_copy() for user in PERSONAS}, guilds={guild.id: guild for guild in guilds}
        )


def add_bot(guild: Guild, bot: User, *, permissions: int) -> None:
    """Make the bot a member, with the role that Discord makes for it."""
    role = Role(id=guild.id + 3, name=BOT_NAME, permissions=permissions, position=1, bot_id=bot.id)
    guild.roles[role.id] = role
    guild.members[bot.id] = Member(user_id=bot.id, roles=[role.id], joined_at=datetime.now(UTC))


def remove_bot(guild: Guild, bot: User) -> None:
    """Take the bot and its role out of a guild."""
    guild.members.pop(bot.id, None)
    for role in [role.id for role in guild.roles.values() if role.bot_id == bot.id]:
        del guild.roles[role]
