"""Collects what happened in a server from the bot and from notify."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bongsu.contracts.notifications import DiscordRecipient
from bongsu.contracts.rpc import GuildHistory
from bongsu.runtime.background import together
from bongsu.runtime.errors import Unavailable
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.guilds.bot_health import unless_silent
from bongsu_dashboard.guilds.guild import Guild
from bongsu_dashboard.guilds.port import Bot
from bongsu_dashboard.guilds.service import Guilds
from bongsu_dashboard.notifications.notification import Notification
from bongsu_dashboard.notifications.port import NotificationQuery, NotifyClient

SHOWN: Final = 5
SEARCHED: Final = 50
"""The number of the user's newest notifications by Discord among which those to the server are looked for."""


@dataclass(frozen=True, slots=True)
class GuildActivity:
    """The newest of each, newest first. A part is None while the service behind it does not answer.

    :param notifications: those of the user to the server's channels.
    :param channels: the names of the channels, by ID.
    """

    guild: Guild
    history: GuildHistory | None
    notifications: tuple[Notification, ...] | None
    channels: Mapping[str, str]


class Activity:
    """Loads the activity of servers that the user manages."""

    def __init__(self, guilds: Guilds, bot: Bot, notify: NotifyClient) -> None:
        self._guilds = guilds
        self._bot = bot
        self._notify = notify

    async def load(self, browser: Browser, guild_id: int) -> GuildActivity:
        """Load every part at the same time.

        :raises GuildNotFound: the user does not manage the server.
        """
        page, history, sent = await together(
            self._guilds.load_page(browser, guild_id, pending=frozenset()),
            unless_silent(self._bot.load_history(guild_id)),
            self._list_sent(browser),
        )
        channels = {str(channel.id): channel.name for channel in page.channels}
        notifications = None
        if sent is not None and (page.detail is not None or not page.guild.has_bot):
            to_here = (one for one in sent if isinstance(one.to, DiscordRecipient) and one.to.channel_id in channels)
            notifications = tuple(to_here)[:SHOWN]
        return GuildActivity(page.guild, history, notifications, channels)

    async def _list_sent(self, browser: Browser) -> list[Notification] | None:
        try:
            return (await self._notify.list_page(browser, NotificationQuery(channel="discord"), limit=SEARCHED)).items
        except Unavailable:
            return None
