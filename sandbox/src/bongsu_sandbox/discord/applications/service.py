"""The application's slash commands."""

import re
from dataclasses import dataclass

from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.errors import DiscordError, invalid_form, missing_access, required, unknown
from bongsu_sandbox.discord.snowflakes import Snowflakes, parse
from bongsu_sandbox.discord.wire import Wire
from bongsu_sandbox.discord.world import World

_NAME = re.compile(r"^[-_'\w]{1,32}$", re.UNICODE)
CHAT_INPUT = 1
CONTEXTS, INTEGRATION_TYPES = {0, 1, 2}, {0, 1}
"""Where a command may be used (a guild, the bot's direct messages, others' direct messages), and by which install."""
GUILD_CONTEXT, DIRECT_CONTEXT = 0, 1


class Commands:
    """Keeps the commands of all guilds, and those of single guilds."""

    def __init__(self, application: Application, world: World, snowflakes: Snowflakes) -> None:
        self._application = application
        self._world = world
        self._snowflakes = snowflakes
        self.syncs = 0
        """How often they were overwritten."""

    def list_all(self, application_id: str) -> list[Wire]:
        """List the commands of all guilds.

        :raises DiscordError: another application's.
        """
        return self.find_scope(application_id, None).list_all()

    def list_in(self, guild_id: int) -> list[Wire]:
        """List the commands that a member of a guild sees: its own hide those of all guilds."""
        own = self._world.guild_commands.get(guild_id, [])
        names = {one["name"] for one in own}
        return [*own, *(one for one in self._list_for(GUILD_CONTEXT) if one["name"] not in names)]

    def list_direct(self) -> list[Wire]:
        """List the commands that a user sees in the direct messages with the bot."""
        return self._list_for(DIRECT_CONTEXT)

    def _list_for(self, context: int) -> list[Wire]:
        contexts = [(one, one.get("contexts")) for one in self._world.commands]
        return [one for one, allowed in contexts if not isinstance(allowed, list) or context in allowed]

    def find_scope(self, application_id: str, guild_id: str | None) -> "Scope":
        """Find the commands of all guilds (None), or of one.

        :raises DiscordError: another application's, or a guild without the bot.
        """
        if parse(application_id) != self._application.id:
            raise DiscordError(403, 20012, "You are not authorized to perform this action on this application")
        if guild_id is None:
            return Scope(self, None)
        guild = self._world.guilds.get(parse(guild_id) or 0)
        if guild is None or self._application.id not in guild.members:
            raise missing_access()
        return Scope(self, guild.id)

    def read(self, guild_id: int | None) -> list[Wire]:
        return self._world.commands if guild_id is None else self._world.guild_commands.get(guild_id, [])

    def store(self, guild_id: int | None, commands: list[Wire]) -> None:
        if guild_id is None:
            self._world.commands = commands
        else:
            self._world.guild_commands[guild_id] = commands
        self._world.save()

    def build(self, place: str, command: object, before: dict[tuple[object, object], object]) -> Wire:
        """Build a command. One that keeps its name keeps its ID.

        :raises DiscordError: a field is wrong; `place` is where the command is in the body.
        """
        if not isinstance(command, dict) or "name" not in command:
            raise required(f"{place}name")
        kind, name = command.get("type") or CHAT_INPUT, command["name"]
        if not isinstance(name, str) or not _NAME.match(name) or name != name.lower():
            raise invalid_form(f"{place}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
        if kind == CHAT_INPUT and not command.get("description"):
            raise required(f"{place}description")
        _require_choice(command, f"{place}contexts", CONTEXTS)
        _require_choice(command, f"{place}integration_types", INTEGRATION_TYPES)
        return {
            "default_member_permissions": None,
            "description": "",
            "contexts": None,
            "integration_types": [0],
            "nsfw": False,
            **command,
            "id": before.get((name, kind)) or str(self._snowflakes.make()),
            "application_id": str(self._application.id),
            "type": kind,
            "version": str(self._snowflakes.make()),
        }


def _require_choice(command: Wire, field: str, allowed: set[int]) -> None:
    """Require a list of these values, if the command has the field.

    :raises DiscordError: other values, none, or a value twice.
    """
    value = command.get(field.rpartition(".")[2])
    if value is None:
        return
    chosen = value if isinstance(value, list) else []
    if not chosen or not all(type(one) is int for one in chosen) or not {*chosen} <= allowed:
        raise invalid_form(field, "BASE_TYPE_CHOICES", f"Value must be one of {allowed}.")
    if len({*chosen}) < len(chosen):
        raise invalid_form(field, "SET_TYPE_DUPLICATE", "Duplicate values are not allowed.")


@dataclass(frozen=True, slots=True)
class Scope:
    """The commands of all guilds, or of `guild_id`."""

    commands: Commands
    guild_id: int | None

    def list_all(self) -> list[Wire]:
        return self.commands.read(self.guild_id)

    def find(self, command_id: str) -> Wire:
        """Find a command.

        :raises DiscordError: unknown ID.
        """
        for one in self.list_all():
            if one["id"] == command_id:
                return one
        raise unknown("Application Command")

    def overwrite(self, wanted: object) -> list[Wire]:
        """Replace all commands; those that keep their names keep their IDs.

        :raises DiscordError: one of them is wrong.
        """
        if not isinstance(wanted, list):
            raise DiscordError(400, 50035, "Invalid Form Body", {"_errors": [{"code": "LIST_TYPE_CONVERT"}]})
        before = self._ids()
        made = [self._build(f"{place}.", command, before) for place, command in enumerate(wanted)]
        self.commands.store(self.guild_id, made)
        self.commands.syncs += 1
        return made

    def create(self, wanted: Wire) -> tuple[Wire, bool]:
        """Create a command, or overwrite the one with its name. Returns it, and whether it is new.

        :raises DiscordError: a field is wrong.
        """
        made = self._build("", wanted, self._ids())
        kept = [one for one in self.list_all() if one["id"] != made["id"]]
        is_new = len(kept) == len(self.list_all())
        self.commands.store(self.guild_id, [*kept, made])
        return made, is_new

    def change(self, command_id: str, change: Wire) -> Wire:
        """Change the fields of a command that are given.

        :raises DiscordError: unknown ID, or a field is wrong.
        """
        found = self.find(command_id)
        merged = found | change
        made = self._build("", merged, {(merged["name"], merged["type"]): command_id})
        self.commands.store(self.guild_id, [made if one is found else one for one in self.list_all()])
        return made

    def delete(self, command_id: str) -> None:
        """Delete a command.

        :raises DiscordError: unknown ID.
        """
        found = self.find(command_id)
        self.commands.store(self.guild_id, [one for one in self.list_all() if one is not found])

    def _ids(self) -> dict[tuple[object, object], object]:
        return {(one["name"], one["type"]): one["id"] for one in self.list_all()}

    def _build(self, place: str, command: object, before: dict[tuple[object, object], object]) -> Wire:
        made = self.commands.build(place, command, before)
        return made if self.guild_id is None else made | {"guild_id": str(self.guild_id)}
