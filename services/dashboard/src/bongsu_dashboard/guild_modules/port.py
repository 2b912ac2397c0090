"""What the modules need of notify."""

from typing import Protocol
from uuid import UUID

from bongsu.contracts.guilds import Snowflake
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.upstream import Received


class Subscription(Received):
    """A channel to which the notifications to a topic of `owner` are relayed. The name is that of the subscription."""

    id: UUID
    topic: str
    owner: UUID
    channel_id: Snowflake
    channel_name: str


class SubscriptionClient(Protocol):
    """The subscriptions of servers at notify. Each method raises ServiceDown where notify does not answer."""

    async def list_of_guild(self, browser: Browser, guild_id: int) -> list[Subscription]:
        """Return all subscriptions of a server, newest first.

        :raises Forbidden: the user does not manage the server, or the bot is not in it.
        :raises BotSilent: the bot does not answer.
        """

    async def subscribe(
        self, browser: Browser, *, guild_id: int, channel_id: str, topic: str, owner: UUID | None
    ) -> None:
        """Subscribe a channel to a topic; once, however often it is called.

        :param owner: the ID of the topic's owner; None for the user.
        :raises ChannelNotWritable: the user does not manage the server, or the bot does not see the channel.
        :raises TopicOwnerUnknown: no account has the ID of the owner.
        :raises TooManySubscriptions: the server, or the topic, has as many as it may have.
        :raises BotSilent: the bot does not answer.
        """

    async def unsubscribe(self, browser: Browser, subscription_id: UUID) -> None:
        """Remove a subscription; do nothing if it does not exist, or is not the user's to remove.

        :raises BotSilent: the bot does not answer.
        """
