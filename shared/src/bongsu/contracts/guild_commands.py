"""Requests to the bot about the commands that are off in a guild.

Error codes besides those of `bongsu.contracts.rpc`: `command_unknown`, `commands_outdated` (another change was first).
"""

from typing import Literal

from pydantic import Field

from bongsu.contracts.guilds import Snowflake
from bongsu.contracts.rpc import GuildCommand, GuildRequest, RpcAnswer
from bongsu.contracts.wire import Wire


class CommandState(Wire):
    """A slash command by its name with its group (`users find`), or a whole group (`users`)."""

    name: str
    is_off: bool = False


class GuildCommands(RpcAnswer):
    """The commands and groups that can be switched off, each group before its commands: all but `/help`.

    :param revision: grows with each change; 0: never set.
    """

    guild_id: Snowflake
    commands: tuple[CommandState, ...]
    revision: int = 0


class CommandsGetRequest(GuildRequest[GuildCommands]):
    """Read which commands are off in a guild."""

    method: Literal["commands_get"] = "commands_get"


class CommandsPutRequest(GuildCommand[GuildCommands]):
    """Set which commands are off in a guild, on behalf of a user who manages it. It has effect at the next use.

    :param off: names of commands or of groups; another name is refused with `command_unknown`.
    :param revision: of the state that the user changes; another one is refused with `commands_outdated`.
    """

    method: Literal["commands_put"] = "commands_put"
    revision: int = Field(ge=0)
    off: tuple[str, ...] = Field(max_length=100)
