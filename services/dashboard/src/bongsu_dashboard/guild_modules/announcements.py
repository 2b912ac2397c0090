"""The module of announcements: topics that are relayed to channels. notify has them, as subscriptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bongsu.contracts.rpc import BotPermission
from bongsu.runtime.errors import Forbidden, Unavailable
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import ChannelNotWritable
from bongsu_dashboard.guild_modules.port import Subscription, SubscriptionClient
from bongsu_dashboard.guild_modules.schemas import AnnouncementForm
from bongsu_dashboard.guilds.service import GuildPage, Guilds


@dataclass(frozen=True, slots=True)
class Announcement:
    """A subscription, and what keeps it from working.

    :param missing: the permissions that the bot lacks in the channel; None: not known.
    :param is_channel_gone: the channel is not among the server's text channels.
    """

    subscription: Subscription
    missing: tuple[BotPermission, ...] | None = None
    is_channel_gone: bool = False

    @property
    def channel_id(self) -> int:
        """The channel to which the topic is relayed."""
        return self.subscription.channel_id

    @property
    def is_in_trouble(self) -> bool:
        """Whether its messages cannot be posted."""
        return self.is_channel_gone or bool(self.missing)


class Announcements:
    """Reads and sets the subscriptions of servers with the user's own token: notify decides what the user may do."""

    def __init__(self, guilds: Guilds, client: SubscriptionClient) -> None:
        self._guilds = guilds
        self._client = client

    async def list_of_guild(self, browser: Browser, guild_id: int) -> Sequence[Subscription] | None:
        """List the subscriptions; None if a service does not answer, or the user does not manage the server."""
        try:
            return await self._client.list_of_guild(browser, guild_id)
        except (Unavailable, Forbidden):
            return None

    async def switch_on(self, browser: Browser, guild_id: int, form: AnnouncementForm) -> None:
        """Have a topic relayed to a channel.

        :raises GuildNotFound: the user does not manage the server now.
        :raises ChannelNotWritable: the server has no such channel, or the bot may not write in it.
        :raises TopicOwnerUnknown, TooManySubscriptions, BotSilent: as `SubscriptionClient.subscribe`.
        """
        page = await self._guilds.load_page(browser, guild_id, pending=frozenset(), fresh=True)
        if form.channel not in {str(channel.id) for channel in page.writable}:
            raise ChannelNotWritable
        await self._client.subscribe(
            browser, guild_id=guild_id, channel_id=form.channel, topic=form.topic, owner=form.owner
        )

    async def switch_off(self, browser: Browser, guild_id: int, subscription_id: UUID) -> None:
        """Remove a subscription; do nothing if it does not exist.

        :raises GuildNotFound: the user does not manage the server now.
        :raises BotSilent: as `SubscriptionClient.unsubscribe`.
        """
        await self._guilds.load_page(browser, guild_id, pending=frozenset(), fresh=True)
        await self._client.unsubscribe(browser, subscription_id)


def diagnose(page: GuildPage, subscriptions: Sequence[Subscription]) -> tuple[Announcement, ...]:
    """Add what keeps each subscription from working, as far as the bot knows it."""
    if page.detail is None:
        return tuple(Announcement(one) for one in subscriptions)
    missing = {channel.id: channel.missing for channel in page.detail.channels}
    return tuple(
        Announcement(one, missing.get(one.channel_id), is_channel_gone=one.channel_id not in missing)
        for one in subscriptions
    )
