"""Which role of a guild may manage its modules."""

from collections.abc import Collection, Mapping
from uuid import UUID

from bongsu.contracts.rpc import DelegationPutRequest, GuildChangeKind, guild_target
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.mixins import uuid7
from bongsu_bot.delegations.models import GuildDelegation
from bongsu_bot.errors import DelegationOutdated
from bongsu_bot.history.service import record_change


async def find(guild_id: int) -> GuildDelegation | None:
    """Return the delegation of a guild, if one was ever set."""
    return await GuildDelegation.filter_by(guild_id=guild_id).first()


async def find_role(guild_id: int) -> int | None:
    """Return the role that may manage the modules of a guild."""
    found = await find(guild_id)
    return found.role_id if found is not None else None


async def list_roles(guild_ids: Collection[int]) -> Mapping[int, int]:
    """Return the roles by the guild, of those guilds that have one."""
    found = await GuildDelegation.filter_by(guild_id__in=list(guild_ids)).order_by("guild_id").all()
    return {one.guild_id: one.role_id for one in found if one.role_id is not None}


async def put(request: DelegationPutRequest, actor_id: UUID, *, role_name: str | None) -> int:
    """Set the role, and return the new revision. The same user's request with the same key is made once.

    :raises DelegationOutdated: another change came first.
    """
    of_guild = GuildDelegation.filter_by(guild_id=request.guild_id)
    known = await of_guild.lock().first()
    values: dict[str, object] = {
        "role_id": request.role_id,
        "revision": request.revision + 1,
        "changed_by": actor_id,
        "idempotency_key": request.idempotency_key,
    }
    if known is not None and all(getattr(known, name) == value for name, value in values.items()):
        return known.revision
    if known is None:
        row = {"id": uuid7(), "guild_id": request.guild_id, **values}
        is_set = request.revision == 0
        if is_set:
            await GuildDelegation.upsert([row], by=("guild_id",), update=[])
            is_set = (await of_guild.one()).id == row["id"]
    else:
        is_set = await of_guild.filter_by(revision=request.revision).update(**values) == 1
    if not is_set:
        raise DelegationOutdated
    kind: GuildChangeKind = "modules_withdrawn" if request.role_id is None else "modules_delegated"
    await record_change(request.guild_id, kind, actor_id=actor_id, detail=role_name)
    await audit.record(
        "guild.modules_withdrawn" if kind == "modules_withdrawn" else "guild.modules_delegated",
        Actor(actor_id),
        target=guild_target(request.guild_id),
        details={"role_id": str(request.role_id or "")},
    )
    return request.revision + 1
