"""The figures and lists of the first page."""

from dataclasses import dataclass
from datetime import UTC, datetime

from bongsu.runtime.background import together
from bongsu.runtime.errors import Unavailable
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import DiscordNotLinked
from bongsu_dashboard.guilds.bot_health import BotHealth
from bongsu_dashboard.guilds.service import GuildList, Guilds
from bongsu_dashboard.notifications.notification import Notification
from bongsu_dashboard.notifications.port import NotifyClient
from bongsu_dashboard.notifications.service import Summary, load_summary

RECENT = 5


@dataclass(frozen=True, slots=True)
class HomeOverview:
    """The first page. A part is None while the service behind it does not answer."""

    linked: bool
    guilds: GuildList | None
    recent: list[Notification] | None
    summary: Summary | None
    bot: BotHealth


class Home:
    """Collects the first page from auth, notify and the bot."""

    def __init__(self, guilds: Guilds, notify: NotifyClient) -> None:
        self._guilds = guilds
        self._notify = notify

    async def load_overview(self, browser: Browser, *, pending: frozenset[int]) -> HomeOverview:
        """Load every part at the same time.

        :param pending: guilds that this browser added the bot to a moment ago.
        """
        (found, linked), recent, summary = await together(
            self._list_guilds(browser, pending),
            self._list_recent(browser),
            load_summary(self._notify, browser, datetime.now(UTC)),
        )
        return HomeOverview(
            linked=linked,
            guilds=found,
            recent=recent,
            summary=summary,
            bot=found.bot if found is not None else await self._guilds.check_bot(),
        )

    async def _list_guilds(self, browser: Browser, pending: frozenset[int]) -> tuple[GuildList | None, bool]:
        try:
            return await self._guilds.list_managed(browser, pending=pending), True
        except DiscordNotLinked:
            return None, False
        except Unavailable:
            return None, True

    async def _list_recent(self, browser: Browser) -> list[Notification] | None:
        try:
            return (await self._notify.list_page(browser, limit=RECENT)).items
        except Unavailable:
            return None
