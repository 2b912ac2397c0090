"""Who added the bot to a guild. auth reports it, before or after the gateway reports the guild."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from bongsu.contracts.guilds import GuildInstalled
from bongsu.mixins import uuid7
from bongsu_bot.history.models import GuildChangeEntry
from bongsu_bot.installs.models import GuildInstall

WINDOW: Final = timedelta(minutes=10)
"""The longest time between the report of auth and the one of the gateway."""


async def record(event: GuildInstalled) -> None:
    """Name the user in the guild's history: in the addition that is there, or in the one that follows."""
    row = {"id": uuid7(), "guild_id": event.guild_id, "actor_id": event.user_id, "at": event.at}
    await GuildInstall.upsert([row], by=("guild_id",), update=["actor_id", "at"])
    added = GuildChangeEntry.filter_by(guild_id=event.guild_id, kind="added", created_at__gte=event.at - WINDOW)
    newest = await added.order_by("-id").first()
    if newest is not None and newest.actor_id is None and newest.created_at <= event.at + WINDOW:
        await newest.update(actor_id=event.user_id)


async def find_installer(guild_id: int, now: datetime) -> UUID | None:
    """Return the user who added the bot a moment ago."""
    found = await GuildInstall.filter_by(guild_id=guild_id, at__gte=now - WINDOW).first()
    return found.actor_id if found is not None else None
