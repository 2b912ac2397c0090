"""The commands that a guild has switched off: read, and set by a user who manages the guild."""

from collections.abc import Collection
from functools import cache
from typing import Final
from uuid import UUID

from bongsu.contracts.guild_commands import CommandsPutRequest, CommandState, GuildCommands
from bongsu.contracts.rpc import guild_target
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.mixins import uuid7
from bongsu_bot.errors import CommandsOutdated, CommandUnknown
from bongsu_bot.guild_commands.models import GuildCommandSettings
from bongsu_bot.history.service import record_change
from bongsu_bot.language import command_texts

ALWAYS_ON: Final = "help"


@cache
def list_names() -> tuple[str, ...]:
    """The names of all commands and groups that can be switched off: each group before its commands."""
    names: list[str] = []
    for name, texts in sorted(command_texts()["en"].items()):
        if name in {ALWAYS_ON, "cogs"}:
            continue
        members = [] if "description" in texts else [f"{name} {member}" for member in texts]
        names += [name, *members]
    return tuple(names)


def is_off(command: str, off: Collection[str]) -> bool:
    """Whether a command or its group is among those that are off.

    :param command: with its group, such as `users find`.
    """
    return command in off or command.split(" ", maxsplit=1)[0] in off


async def find_off(guild_id: int) -> frozenset[str]:
    """Return the commands and groups that are off in a guild."""
    found = await GuildCommandSettings.filter_by(guild_id=guild_id).first()
    return frozenset(found.off) if found is not None else frozenset()


async def load(guild_id: int) -> GuildCommands:
    """Return every command and group of a guild, on or off."""
    found = await GuildCommandSettings.filter_by(guild_id=guild_id).first()
    off = found.off if found is not None else []
    states = tuple(CommandState(name=name, is_off=is_off(name, off)) for name in list_names())
    return GuildCommands(guild_id=guild_id, commands=states, revision=found.revision if found is not None else 0)


async def put(request: CommandsPutRequest, actor_id: UUID) -> GuildCommands:
    """Set the commands that are off. The same user's request with the same key is made once.

    :raises CommandUnknown: one of them does not exist, or is always on.
    :raises CommandsOutdated: another change came first.
    """
    off = sorted(set(request.off))
    if not set(off) <= set(list_names()):
        raise CommandUnknown
    of_guild = GuildCommandSettings.filter_by(guild_id=request.guild_id)
    known = await of_guild.lock().first()
    values: dict[str, object] = {
        "off": off,
        "revision": request.revision + 1,
        "changed_by": actor_id,
        "idempotency_key": request.idempotency_key,
    }
    if known is not None and all(getattr(known, name) == value for name, value in values.items()):
        return await load(request.guild_id)
    if known is None:
        row = {"id": uuid7(), "guild_id": request.guild_id, **values}
        is_set = request.revision == 0
        if is_set:
            await GuildCommandSettings.upsert([row], by=("guild_id",), update=[])
            is_set = (await of_guild.one()).id == row["id"]
    else:
        is_set = await of_guild.filter_by(revision=request.revision).update(**values) == 1
    if not is_set:
        raise CommandsOutdated
    await record_change(request.guild_id, "commands_changed", actor_id=actor_id, detail=", ".join(off) or None)
    await audit.record(
        "guild.commands_changed",
        Actor(actor_id),
        target=guild_target(request.guild_id),
        details={"off": ", ".join(off)},
    )
    return await load(request.guild_id)
