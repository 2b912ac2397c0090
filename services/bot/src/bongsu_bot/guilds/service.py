"""The bot's guilds, as the database holds them. A change returns the events to broadcast; none if nothing changed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from bongsu.contracts.guilds import GuildEvent, GuildJoined, GuildLeft, GuildSummary, GuildUnavailable, GuildUpdated
from bongsu.contracts.rpc import shard_of
from bongsu.mixins import Q
from bongsu.runtime.id_pages import page_by_id
from bongsu_bot.guilds.models import Guild
from bongsu_bot.guilds.port import ListedGuild
from bongsu_bot.history.service import record_change
from bongsu_bot.installs.service import find_installer
from bongsu_bot.leave_requests.models import LeaveRequest

MAX_NAME_CHARS: Final = 100
REMOVAL_WINDOW: Final = timedelta(minutes=5)
"""The longest time between a request to leave and the departure that it explains."""


@dataclass(frozen=True, slots=True)
class GuildSnapshot:
    """A guild as Discord shows it now. A field that is None is unknown and keeps its stored value."""

    id: int
    name: str
    icon: str | None
    owner_id: int | None
    member_count: int | None
    joined_at: datetime | None


async def upsert(snapshot: GuildSnapshot) -> list[GuildEvent]:
    """Store a guild that the bot is in."""
    now = datetime.now(UTC)
    known = await Guild.get_or_none(snapshot.id)
    name = snapshot.name[:MAX_NAME_CHARS]
    if known is None or known.status == "left":
        guild, _ = await Guild.create_or_update(
            id=snapshot.id,
            name=name,
            icon=snapshot.icon,
            owner_id=snapshot.owner_id,
            member_count=snapshot.member_count,
            status="active",
            joined_at=snapshot.joined_at or now,
            left_at=None,
        )
        await record_change(guild.id, "added", actor_id=await find_installer(guild.id, now))
        return [GuildJoined(guild=GuildSummary.model_validate(guild), at=now)]
    if known.name != name:
        await record_change(known.id, "renamed", detail=name)
    if known.status == "unavailable":
        await record_change(known.id, "recovered")
    changed = await known.update(
        name=name,
        icon=snapshot.icon,
        owner_id=snapshot.owner_id or known.owner_id,
        member_count=known.member_count if snapshot.member_count is None else snapshot.member_count,
        status="active",
    )
    return [] if changed is None else [GuildUpdated(guild=GuildSummary.model_validate(known), at=now)]


async def mark_unavailable(guild_id: int) -> list[GuildEvent]:
    """Record an outage at Discord: the bot is in the guild and receives nothing from it."""
    known = await Guild.get_or_none(guild_id)
    if known is None or known.status != "active":
        return []
    await known.update(status="unavailable")
    await record_change(guild_id, "outage")
    return [GuildUnavailable(guild=GuildSummary.model_validate(known), at=datetime.now(UTC))]


async def mark_left(*guild_ids: int) -> list[GuildEvent]:
    """Record that the bot is no longer in these guilds."""
    events: list[GuildEvent] = []
    now = datetime.now(UTC)
    for guild_id in guild_ids:
        known = await Guild.get_or_none(guild_id)
        if known is not None and known.status != "left":
            await known.update(status="left", left_at=now)
            actor_id = await _find_remover(guild_id, now)
            await record_change(guild_id, "left" if actor_id is None else "removed", actor_id=actor_id)
            events.append(GuildLeft(guild=GuildSummary.model_validate(known), at=now))
    return events


async def reconcile(
    listed: Sequence[ListedGuild],
    *,
    seen: Collection[int],
    unavailable: Collection[int],
    own: Collection[int],
    shards: int,
) -> list[GuildEvent]:
    """Make the stored guilds on the shards `own` agree with Discord's list, and update their member counts.

    :param listed: the complete list.
    :param seen: guilds of which the gateway has reported since the list was asked for; they stay as they are.
    :param unavailable: guilds with an outage, which the gateway shows without their names.
    """
    stored = {guild.id: guild for guild in await Guild.exclude(status="left").all()}
    events: list[GuildEvent] = []
    now = datetime.now(UTC)
    for found in listed:
        if shard_of(found.id, shards) not in own or found.id in seen:
            continue
        guild = stored.get(found.id)
        if guild is None:
            guild, _ = await Guild.create_or_update(
                id=found.id,
                name=found.name[:MAX_NAME_CHARS],
                icon=found.icon,
                member_count=found.member_count,
                status="unavailable" if found.id in unavailable else "active",
                joined_at=now,
                left_at=None,
            )
            await record_change(guild.id, "added", actor_id=await find_installer(guild.id, now))
            events.append(GuildJoined(guild=GuildSummary.model_validate(guild), at=now))
        else:
            status = "unavailable" if found.id in unavailable else guild.status
            count = guild.member_count if found.member_count is None else found.member_count
            event: type[GuildUpdated | GuildUnavailable] = GuildUpdated
            if status != guild.status:
                await record_change(guild.id, "outage")
                event = GuildUnavailable
            if await guild.update(status=status, member_count=count) is not None:
                events.append(event(guild=GuildSummary.model_validate(guild), at=now))
    present = {found.id for found in listed}
    gone = [guild for guild in stored if shard_of(guild, shards) in own and guild not in present and guild not in seen]
    return [*events, *await mark_left(*gone)]


async def _find_remover(guild_id: int, now: datetime) -> UUID | None:
    """Return the user whose request made the bot leave, which Discord does not report; None if it left otherwise."""
    recent = LeaveRequest.filter_by(guild_id=guild_id, created_at__gte=now - REMOVAL_WINDOW)
    request = await recent.order_by("-created_at").first()
    return request.actor_id if request is not None else None


async def count(shard: int, shards: int) -> int:
    """Count the guilds that the bot is in, on one shard."""
    # As `shard_of`, in the database: pages ask for it, and a list of all IDs grows with the bot.
    is_on_shard = Guild.id.bitwise_rshift(22) % shards == shard
    return await Guild.exclude(status="left").filter_by(is_on_shard).count()


async def find(ids: Collection[int]) -> list[Guild]:
    """Return those of the guilds that the bot is or was in."""
    return await Guild.filter_by(id__in=list(ids)).order_by("id").all()


async def list_page(*, after: int, limit: int, search: str | None = None) -> tuple[list[Guild], int | None]:
    """Return a page of the guilds that the bot is in, by ID, and the ID after which the following page starts.

    :param search: a part of the name, or the ID of the guild or of its owner.
    """
    wanted = Guild.exclude(status="left")
    if search is not None:
        named = Q(name__icontains=search)
        wanted = wanted.filter_by(
            named | Q(id=int(search)) | Q(owner_id=int(search)) if search.isdecimal() and search.isascii() else named
        )
    return await page_by_id(wanted, limit=limit, after=after, newest_first=False)
