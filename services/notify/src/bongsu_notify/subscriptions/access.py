"""Who may subscribe, list and unsubscribe: the bot is asked first, outside of the transaction."""

from collections.abc import Sequence
from uuid import UUID

from bongsu.mixins import Database
from bongsu_notify.channels.discord.authority import Authority
from bongsu_notify.errors import ChannelNotAllowed, SubscriptionNotFound
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.subscriptions import service
from bongsu_notify.subscriptions.models import Subscription
from bongsu_notify.subscriptions.service import Filters


class Subscriptions:
    """The subscriptions that a principal may see and change. It opens units of work of its own."""

    def __init__(self, database: Database, authority: Authority) -> None:
        self._database = database
        self._authority = authority

    async def subscribe(
        self, principal: Principal, *, owner_id: UUID, topic: str, guild_id: int, channel_id: int
    ) -> Subscription:
        """Subscribe a channel to a topic.

        :raises ChannelNotAllowed: the principal does not manage the server, or the channel is not in it.
        :raises BotUnavailable: the bot does not answer.
        :raises ServiceError: as `service.subscribe`.
        """
        channel = await self._authority.require_channel(principal.user_id, channel_id)
        if channel.guild_id != guild_id:
            raise ChannelNotAllowed("The channel is not in this server")
        return await self._database.run(service.subscribe, principal, channel, owner_id=owner_id, topic=topic)

    async def list_page(
        self, principal: Principal, filters: Filters, *, limit: int, after: UUID | None
    ) -> tuple[Sequence[Subscription], UUID | None]:
        """A page, newest first, and the id to continue after (None at the end).

        :raises ChannelNotAllowed: the principal does not manage the guild of the filters.
        :raises BotUnavailable: the bot does not answer.
        """
        if filters.guild_id is not None:
            await self._authority.require_guild(principal.user_id, filters.guild_id)
        return await self._database.run(service.list_page, principal, filters, limit=limit, after=after)

    async def unsubscribe(self, principal: Principal, subscription_id: UUID) -> None:
        """Remove a subscription: as the owner of its topic, or as a manager of its server.

        :raises SubscriptionNotFound: it does not exist, or the principal may not remove it.
        :raises BotUnavailable: the bot does not answer, and the topic is another user's.
        """
        found = await self._database.run(service.find, subscription_id)
        if found.owner_id != principal.user_id:
            try:
                await self._authority.require_guild(principal.user_id, found.guild_id)
            except ChannelNotAllowed:
                raise SubscriptionNotFound from None
        await self._database.run(service.unsubscribe, principal, subscription_id)
