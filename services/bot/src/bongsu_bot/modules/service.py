"""The modules of a guild: read, and set by a user who manages it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from bongsu.contracts.rpc import MODULES, ModuleName, ModulePutRequest, ModuleState, guild_target
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.mixins import uuid7
from bongsu_bot.errors import ChannelNotFound, ChannelRequired, ModuleOutdated
from bongsu_bot.guilds.port import GuildDirectory
from bongsu_bot.history.service import record_change
from bongsu_bot.modules.models import GuildModule


@dataclass(frozen=True, slots=True)
class Change:
    """A module after a request. `is_new` is False for a repeated one."""

    state: ModuleState
    is_new: bool


async def list_states(guild_id: int) -> list[ModuleState]:
    """List every module of a guild; one that was never set is off."""
    stored: Mapping[str, GuildModule] = {
        one.module: one for one in await GuildModule.filter_by(guild_id=guild_id).all()
    }
    return [_state(name, stored.get(name)) for name in MODULES]


async def find_channel(guild_id: int, module: ModuleName) -> int | None:
    """The channel into which a module posts; None while it is off."""
    found = await GuildModule.filter_by(guild_id=guild_id, module=module, enabled=True).first()
    return found.channel_id if found is not None else None


async def require_channel(directory: GuildDirectory, request: ModulePutRequest) -> None:
    """Check the channel of a request at Discord, outside of the unit of work.

    :raises ChannelRequired: the module is switched on without a channel.
    :raises ChannelNotFound: the bot does not see the channel, or it is another guild's.
    """
    if request.channel_id is None:
        if request.enabled:
            raise ChannelRequired
        return
    channel = await directory.get_channel(request.channel_id)
    if channel.guild_id != request.guild_id:
        raise ChannelNotFound


async def put(request: ModulePutRequest, actor_id: UUID) -> Change:
    """Set a module. The same user's request with the same key is made once.

    :raises ModuleOutdated: another change came first.
    """
    of_module = GuildModule.filter_by(guild_id=request.guild_id, module=request.module)
    known = await of_module.lock().first()
    values: dict[str, object] = {
        "enabled": request.enabled,
        "channel_id": request.channel_id,
        "revision": request.revision + 1,
        "changed_by": actor_id,
        "idempotency_key": request.idempotency_key,
    }
    if known is not None and all(getattr(known, name) == value for name, value in values.items()):
        return Change(_state(request.module, known), is_new=False)
    if known is None:
        row = {"id": uuid7(), "guild_id": request.guild_id, "module": request.module, **values}
        is_set = request.revision == 0
        if is_set:
            await GuildModule.upsert([row], by=("guild_id", "module"), update=[])
            is_set = (await of_module.one()).id == row["id"]
    else:
        is_set = await of_module.filter_by(revision=request.revision).update(**values) == 1
    if not is_set:
        raise ModuleOutdated
    await record_change(
        request.guild_id, "module_on" if request.enabled else "module_off", actor_id=actor_id, detail=request.module
    )
    await audit.record(
        "guild.module_changed",
        Actor(actor_id),
        target=guild_target(request.guild_id),
        details={"module": request.module, "enabled": int(request.enabled)},
    )
    return Change(_state(request.module, await of_module.one()), is_new=True)


def _state(name: ModuleName, stored: GuildModule | None) -> ModuleState:
    if stored is None:
        return ModuleState(module=name)
    return ModuleState(
        module=name, enabled=stored.enabled, channel_id=stored.channel_id, revision=stored.revision, missing=()
    )
