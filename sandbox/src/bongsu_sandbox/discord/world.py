"""The stored state of Discord's stand-in: users, guilds, commands and grants."""

import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bongsu.runtime.logging import get_logger
from bongsu_sandbox.discord.applications.models import BOT_NAME
from bongsu_sandbox.discord.errors import unknown
from bongsu_sandbox.discord.guilds.models import Guild, Member, Role
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.users.personas import BOT_STARTS_IN, PERSONAS, build_guilds
from bongsu_sandbox.discord.wire import Wire

log = get_logger(__name__)


class Grant(BaseModel):
    """The scopes that a user granted to the application, with their tokens."""

    user_id: int
    scopes: list[str]
    access_token: str
    refresh_token: str
    expires_at: datetime


class Snapshot(BaseModel):
    """The content of the state file."""

    users: dict[int, User]
    guilds: dict[int, Guild]
    commands: list[Wire] = []
    guild_commands: dict[int, list[Wire]] = {}
    grants: list[Grant] = []


class World:
    """Holds the state and writes it to its file atomically at each `save`."""

    def __init__(self, path: Path, bot: User) -> None:
        self._path = path
        self._bot = bot
        path.parent.mkdir(parents=True, exist_ok=True)
        self._set(self._read() or self._first())

    def _set(self, state: Snapshot) -> None:
        self.users = state.users
        self.guilds = state.guilds
        self.commands = state.commands
        self.guild_commands = state.guild_commands
        self.grants = state.grants

    def find_user(self, user_id: int | None) -> User:
        """Find a persona or the bot.

        :raises DiscordError: unknown ID.
        """
        if user_id == self._bot.id:
            return self._bot
        found = self.users.get(user_id or 0)
        if found is None:
            raise unknown("User")
        return found

    def find_guild(self, guild_id: int | None) -> Guild:
        """Find a guild.

        :raises DiscordError: unknown ID.
        """
        found = self.guilds.get(guild_id or 0)
        if found is None:
            raise unknown("Guild")
        return found

    def save(self) -> None:
        made = self._path.with_suffix(".new")
        state = Snapshot(
            users=self.users,
            guilds=self.guilds,
            commands=self.commands,
            guild_commands=self.guild_commands,
            grants=self.grants,
        )
        made.write_text(state.model_dump_json(), encoding="utf-8")
        os.replace(made, self._path)  # noqa: PTH105 - the rename that is atomic

    def reset(self) -> None:
        """Restore the initial state, except for the commands."""
        self._set(self._first().model_copy(update={"commands": self.commands}))
        self.save()

    def _read(self) -> Snapshot | None:
        try:
            return Snapshot.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except ValidationError:
            log.warning("discord.state_unreadable", path=str(self._path))
        return None

    def _first(self) -> Snapshot:
        guilds = build_guilds()
        for guild in guilds:
            if guild.id in BOT_STARTS_IN:
                add_bot(guild, self._bot, permissions=0)
        return Snapshot(
            users={user.id: user.model_copy() for user in PERSONAS}, guilds={guild.id: guild for guild in guilds}
        )


def add_bot(guild: Guild, bot: User, *, permissions: int) -> None:
    """Add the bot to a guild, with the managed role that Discord creates for it."""
    role = Role(id=guild.id + 3, name=BOT_NAME, permissions=permissions, position=1, bot_id=bot.id)
    guild.roles[role.id] = role
    guild.members[bot.id] = Member(user_id=bot.id, roles=[role.id], joined_at=datetime.now(UTC))


def remove_bot(guild: Guild, bot: User) -> None:
    """Remove the bot and its role from a guild."""
    guild.members.pop(bot.id, None)
    for role in [role.id for role in guild.roles.values() if role.bot_id == bot.id]:
        del guild.roles[role]
