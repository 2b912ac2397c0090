"""What is known of the bot's guilds. Each change gives the event that tells it, or None where nothing changed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from bongsu.contracts.guilds import GuildEvent, GuildJoined, GuildLeft, GuildUpdated
from bongsu.contracts.rpc import shard_of
from bongsu_bot.guilds.models import Guild

_MAX_NAME_CHARS = 100


@dataclass(frozen=True, slots=True)
class Sighting:
    """A guild as Discord shows it now. What is None is not known, and keeps what was known before."""

    id: int
    name: str
    icon: str | None
    owner_id: int | None
    member_count: int | None
    joined_at: datetime | None


async def see(sighting: Sighting) -> GuildEvent | None:
    """The bot is in this guild."""
    now = datetime.now(UTC)
    known = await Guild.get_or_none(sighting.id)
    name = sighting.name[:_MAX_NAME_CHARS]
    if known is None or known.status == "left":
        guild, _ = await Guild.create_or_update(
            id=sighting.id,
            name=name,
            icon=sighting.icon,
            owner_id=sighting.owner_id,
            member_count=sighting.member_count,
            status="active",
            joined_at=sighting.joined_at or now,
            left_at=None,
        )
        return GuildJoined(guild=guild.summary, at=now)
    changed = await known.update(
        name=name,
        icon=sighting.icon,
        owner_id=sighting.owner_id or known.owner_id,
        member_count=known.member_count if sighting.member_count is None else sighting.member_count,
        status="active",
    )
    return None if changed is None else GuildUpdated(guild=known.summary, at=now)


async def suspend(guild_id: int) -> GuildEvent | None:
    """Discord has an outage: the bot is in the guild and sees nothing of it."""
    known = await Guild.get_or_none(guild_id)
    if known is None or known.status != "active":
        return None
    await known.update(status="unavailable")
    return GuildUpdated(guild=known.summary, at=datetime.now(UTC))


async def lose(guild_id: int) -> GuildEvent | None:
    """The bot is not in the guild any more."""
    known = await Guild.get_or_none(guild_id)
    if known is None or known.status == "left":
        return None
    now = datetime.now(UTC)
    await known.update(status="left", left_at=now)
    return GuildLeft(guild=known.summary, at=now)


async def lose_all_but(present: Collection[int], *, own: Collection[int], shards: int) -> list[GuildEvent]:
    """Of the guilds on the shards `own`, the bot is in those in `present` only."""
    found = await Guild.exclude(status="left").pluck("id")
    gone = [guild for guild in found if shard_of(guild, shards) in own and guild not in present]
    return [event for guild in gone if (event := await lose(guild)) is not None]


async def count(shard: int, shards: int) -> int:
    """How many guilds the bot is in, on one shard."""
    found = await Guild.exclude(status="left").pluck("id")
    return sum(shard_of(guild, shards) == shard for guild in found)


async def find(ids: Collection[int]) -> list[Guild]:
    """The guilds among these that the bot is in or was in."""
    return await Guild.filter_by(id__in=list(ids)).order_by("id").all()


async def page(*, after: int, limit: int) -> list[Guild]:
    """The guilds that the bot is in, by id."""
    return await Guild.exclude(status="left").filter_by(id__gt=after).order_by("id").limit(limit).all()
