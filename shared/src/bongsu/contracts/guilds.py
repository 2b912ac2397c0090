"""Events about the bot's guilds, broadcast to every replica of every service on `queues.GUILD_EVENTS`; and the event of
auth for the bot on `queues.BOT_GUILDS_INSTALLED`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, PlainSerializer, TypeAdapter

from bongsu.contracts.wire import Wire

Snowflake = Annotated[int, Field(ge=0, lt=2**64), PlainSerializer(str, return_type=str, when_used="json")]
"""A Discord ID: an integer in Python, a decimal string in JSON, where large numbers lose precision."""

GuildStatus = Literal["active", "left", "unavailable"]
"""`unavailable` means an outage at Discord: the bot is still in the guild."""


class GuildSummary(Wire):
    """A guild as the bot knows it. `icon` is Discord's hash; `member_count` may lag behind."""

    model_config = ConfigDict(from_attributes=True)

    id: Snowflake
    name: str
    icon: str | None = None
    owner_id: Snowflake | None = None
    member_count: int | None = None
    status: GuildStatus
    joined_at: datetime | None = None
    left_at: datetime | None = None


class GuildListItem(GuildSummary):
    """A guild in a list. `added_by`: the name of the user who added the bot, only in the list of all guilds.

    It is None where it is not known.
    """

    added_by: str | None = None


class GuildJoined(Wire):
    """The bot joined a guild."""

    kind: Literal["guild.joined"] = "guild.joined"
    guild: GuildSummary
    at: datetime


class GuildLeft(Wire):
    """The bot left the guild or was removed from it, or the guild was deleted."""

    kind: Literal["guild.left"] = "guild.left"
    guild: GuildSummary
    at: datetime


class GuildUpdated(Wire):
    """A field of the summary changed; the end of an outage changes `status`."""

    kind: Literal["guild.updated"] = "guild.updated"
    guild: GuildSummary
    at: datetime


class GuildUnavailable(Wire):
    """An outage of the guild began at Discord: the bot is in it, and receives nothing from it."""

    kind: Literal["guild.unavailable"] = "guild.unavailable"
    guild: GuildSummary
    at: datetime


class GuildInstalled(Wire):
    """A user added the bot to a guild: Discord's response to auth named the guild."""

    version: Literal[1] = 1
    guild_id: Snowflake
    user_id: UUID
    at: datetime


GuildEvent = Annotated[GuildJoined | GuildLeft | GuildUpdated | GuildUnavailable, Field(discriminator="kind")]
GUILD_EVENT: TypeAdapter[GuildEvent] = TypeAdapter(GuildEvent)
