"""`/v1/subscriptions` over HTTP."""

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, PlainSerializer

from bongsu.contracts.notifications import Instant
from bongsu.contracts.wire import Wire
from bongsu_notify.channels.discord.schemas import DiscordId
from bongsu_notify.notifications.schemas import Body, Topic

SnowflakeText = Annotated[int, PlainSerializer(str, return_type=str)]
"""A Discord ID, which is text in JSON."""


class SubscriptionIn(Body):
    """A channel of a server that you manage, and the topic whose notifications it shall get."""

    topic: Topic
    owner: UUID | None = Field(default=None, description="User ID of the topic's owner; yourself by default")
    guild_id: DiscordId = Field(description="Server that you manage")
    channel_id: DiscordId


class SubscriptionQuery(Body):
    """The filters of the list."""

    guild_id: DiscordId | None = Field(
        default=None, description="Server that you manage. Without it, the list has the subscribers of your own topics"
    )
    topic: Topic | None = None
    limit: int = Field(default=50, ge=1, le=200)
    after: UUID | None = Field(default=None, description="`next` of the previous page")


class SubscriptionOut(Wire):
    """A channel that gets the notifications to a topic. The names are those at the time of the subscription."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    topic: str
    owner: UUID
    guild_id: SnowflakeText
    guild_name: str
    channel_id: SnowflakeText
    channel_name: str
    created_at: Instant


class SubscriptionPage(Wire):
    """A page, newest first."""

    items: list[SubscriptionOut]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end")
