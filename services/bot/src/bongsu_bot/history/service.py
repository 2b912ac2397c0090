"""What happened in a guild: its changes, which are kept, and the uses of commands of the last days."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from bongsu.contracts.guilds import GuildEvent
from bongsu.contracts.rpc import CommandOutcome, CommandUse, GuildChange, GuildChangeKind, GuildHistory
from bongsu.identity.models import User
from bongsu_bot.history.models import CommandUseEntry, GuildChangeEntry

COMMANDS_KEPT: Final = timedelta(days=30)
MAX_DETAIL_CHARS: Final = 200


async def record_change(
    guild_id: int, kind: GuildChangeKind, *, actor_id: UUID | None = None, detail: str | None = None
) -> None:
    """Record a change in the caller's unit of work."""
    detail = detail[:MAX_DETAIL_CHARS] if detail is not None else None
    await GuildChangeEntry.create(guild_id=guild_id, kind=kind, actor_id=actor_id, detail=detail)


async def record_command(guild_id: int, command: str, outcome: CommandOutcome) -> list[GuildEvent]:
    """Record the use of a command, and delete the guild's oldest. It broadcasts nothing."""
    await CommandUseEntry.create(guild_id=guild_id, command=command, outcome=outcome)
    oldest = datetime.now(UTC) - COMMANDS_KEPT
    await CommandUseEntry.filter_by(guild_id=guild_id, created_at__lt=oldest).delete()
    return []


async def find_adders(guild_ids: Collection[int]) -> Mapping[int, str | None]:
    """Return who last added the bot to each guild, by name or address, where it is known."""
    added = await GuildChangeEntry.filter_by(guild_id__in=list(guild_ids), kind="added").order_by("id").all()
    newest = {change.guild_id: change.actor_id for change in added}
    actors = {actor for actor in newest.values() if actor is not None}
    users = {user.id: user.name or user.email_norm for user in await User.filter_by(id__in=list(actors)).all()}
    return {guild: users[actor] for guild, actor in newest.items() if actor is not None and actor in users}


async def list_history(guild_id: int, *, limit: int) -> GuildHistory:
    """List the newest changes and uses of commands."""
    changes = await GuildChangeEntry.filter_by(guild_id=guild_id).order_by("-id").limit(limit).all()
    uses = await CommandUseEntry.filter_by(guild_id=guild_id).order_by("-created_at").limit(limit).all()
    actors = {change.actor_id for change in changes if change.actor_id is not None}
    users = await User.filter_by(id__in=list(actors)).all() if actors else []
    names = {user.id: user.name for user in users}
    return GuildHistory(
        changes=tuple(
            GuildChange(
                at=one.created_at,
                kind=one.kind,
                actor=names.get(one.actor_id) if one.actor_id is not None else None,
                detail=one.detail,
            )
            for one in changes
        ),
        commands=tuple(CommandUse(at=one.created_at, command=one.command, outcome=one.outcome) for one in uses),
    )
