"""The application's slash commands."""

import re

from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.errors import DiscordError, invalid_form, required, unknown
from bongsu_sandbox.discord.snowflakes import Snowflakes, parse
from bongsu_sandbox.discord.wire import Wire
from bongsu_sandbox.discord.world import World

_NAME = re.compile(r"^[-_'\w]{1,32}$", re.UNICODE)
CHAT_INPUT = 1


class Commands:
    """Keeps the global commands."""

    def __init__(self, application: Application, world: World, snowflakes: Snowflakes) -> None:
        self._application = application
        self._world = world
        self._snowflakes = snowflakes
        self.syncs = 0
        """How often they were overwritten."""

    def list_all(self, application_id: str) -> list[Wire]:
        """List the commands.

        :raises DiscordError: another application's.
        """
        if parse(application_id) != self._application.id:
            raise DiscordError(403, 20012, "You are not authorized to perform this action on this application")
        return self._world.commands

    def overwrite(self, application_id: str, wanted: object) -> list[Wire]:
        """Replace all commands; those that keep their names keep their ids.

        :raises DiscordError: one of them is wrong.
        """
        before = {(one["name"], one["type"]): one["id"] for one in self.list_all(application_id)}
        if not isinstance(wanted, list):
            raise DiscordError(400, 50035, "Invalid Form Body", {"_errors": [{"code": "LIST_TYPE_CONVERT"}]})
        made = [self._build(place, command, before) for place, command in enumerate(wanted)]
        self._world.commands = made
        self._world.save()
        self.syncs += 1
        return made

    def delete(self, application_id: str, command_id: str) -> None:
        """Delete a command.

        :raises DiscordError: unknown ID.
        """
        kept = [one for one in self.list_all(application_id) if one["id"] != command_id]
        if len(kept) == len(self._world.commands):
            raise unknown("Application Command")
        self._world.commands = kept
        self._world.save()

    def _build(self, place: int, command: object, before: dict[tuple[object, object], object]) -> Wire:
        if not isinstance(command, dict) or "name" not in command:
            raise required(f"{place}.name")
        kind, name = command.get("type") or CHAT_INPUT, command["name"]
        if not isinstance(name, str) or not _NAME.match(name) or name != name.lower():
            raise invalid_form(f"{place}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
        if kind == CHAT_INPUT and not command.get("description"):
            raise required(f"{place}.description")
        return {
            **command,
            "id": before.get((name, kind)) or str(self._snowflakes.make()),
            "application_id": str(self._application.id),
            "type": kind,
            "version": str(self._snowflakes.make()),
        }
