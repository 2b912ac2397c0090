"""What happened to the guilds that the bot is in, sent to every replica of every service on `queues.GUILD_EVENTS`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, TypeAdapter

from bongsu.contracts.wire import Wire

Snowflake = Annotated[int, Field(ge=0, lt=2**64), PlainSerializer(str, return_type=str, when_used="json")]
"""An id of Discord's: a number here, its digits as a text in JSON (where large numbers lose precision)."""

GuildStatus = Literal["active", "left", "unavailable"]
"""`unavailable` is an outage at Discord: the bot is still in the guild, and comes back to it."""


class GuildSummary(Wire):
    """A guild as the bot knows it. `icon` is Discord's hash; `member_count` may lag behind."""

    id: Snowflake
    name: str
    icon: str | None = None
    owner_id: Snowflake | None = None
    member_count: int | None = None
    status: GuildStatus
    joined_at: datetime | None = None
    left_at: datetime | None = None


class GuildJoined(Wire):
    """The bot is in a guild that it was not in before."""

    kind: Literal["guild.joined"] = "guild.joined"
    guild: GuildSummary
    at: datetime


class GuildLeft(Wire):
    """The bot left, was put out, or the guild is gone."""

    kind: Literal["guild.left"] = "guild.left"
    guild: GuildSummary
    at: datetime


class GuildUpdated(Wire):
    """Something of the summary changed; an outage that begins or ends is told so, too."""

    kind: Literal["guild.updated"] = "guild.updated"
    guild: GuildSummary
    at: datetime


GuildEvent = Annotated[GuildJoined | GuildLeft | GuildUpdated, Field(discriminator="kind")]
GUILD_EVENT: TypeAdapter[GuildEvent] = TypeAdapter(GuildEvent)
