"""Modules of servers that the user manages, or whose modules are delegated to a role of the user."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from bongsu.contracts.rpc import GuildModules, ModuleState
from bongsu.runtime.background import together
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import ChannelNotWritable, ModuleOutdated
from bongsu_dashboard.guild_modules.announcements import Announcement, Announcements, diagnose
from bongsu_dashboard.guild_modules.schemas import ModuleForm
from bongsu_dashboard.guilds.bot_health import unless_silent
from bongsu_dashboard.guilds.port import Bot, GuildDirectory
from bongsu_dashboard.guilds.service import GuildPage, Guilds


@dataclass(frozen=True, slots=True)
class ModulesPage:
    """A server and its modules: None while the bot does not answer, or is not in the server.

    :param announcements: the topics that are relayed to its channels; None while notify or the bot does not answer,
        and for a user who manages the modules only.
    """

    guild: GuildPage
    modules: GuildModules | None
    announcements: tuple[Announcement, ...] | None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that a form changes. The values are texts of the form, empty for no channel."""

    field: Literal["act", "channel"]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a form would change: nothing if `changes` is empty."""

    guild: GuildPage
    changes: tuple[FieldChange, ...]


class Modules:
    """Reads and sets modules at the bot, which asks Discord whether the user may manage them."""

    def __init__(self, guilds: Guilds, directory: GuildDirectory, bot: Bot, announcements: Announcements) -> None:
        self._announcements = announcements
        self._guilds = guilds
        self._directory = directory
        self._bot = bot

    async def load_page(self, browser: Browser, user_id: UUID, guild_id: int) -> ModulesPage:
        """Load a server with its modules.

        :raises GuildNotFound: the user may not manage its modules.
        """
        page, modules, subscriptions = await together(
            self._guilds.load_page_of_modules(browser, user_id, guild_id),
            unless_silent(self._bot.load_modules(guild_id)),
            self._announcements.list_of_guild(browser, guild_id),
        )
        is_known = subscriptions is not None and page.is_manager
        announcements = diagnose(page, subscriptions or ()) if is_known else None
        return ModulesPage(page, modules if page.guild.has_bot else None, announcements)

    async def review(self, browser: Browser, user_id: UUID, guild_id: int, form: ModuleForm) -> Review:
        """Compare a form with the module as it is now; nothing is changed.

        :raises GuildNotFound: the user may not manage the modules of the server now.
        :raises ModuleOutdated: another change came first.
        :raises ChannelNotWritable: no channel of the server in which the bot may write is selected.
        :raises BotSilent: the bot does not answer.
        """
        page = await self._require_writable(browser, user_id, guild_id, form)
        modules = await self._bot.load_modules(guild_id)
        now = next(one for one in modules.modules if one.module == form.module)
        if now.revision != form.revision:
            raise ModuleOutdated
        compared = (
            FieldChange("act", "on" if now.enabled else "off", form.act),
            FieldChange("channel", str(now.channel_id or ""), form.channel),
        )
        return Review(page, tuple(change for change in compared if change.before != change.after))

    async def set(self, browser: Browser, user_id: UUID, guild_id: int, form: ModuleForm) -> ModuleState:
        """Set a module, once for each `attempt` of the form. Errors as `review`."""
        await self._require_writable(browser, user_id, guild_id, form)
        assertion = await self._directory.create_assertion(browser, method="module_put", guild_id=guild_id)
        return await self._bot.put_module(
            guild_id,
            form.module,
            enabled=form.act == "on",
            channel_id=int(form.channel) if form.channel else None,
            revision=form.revision,
            assertion=assertion,
            key=form.attempt,
        )

    async def _require_writable(self, browser: Browser, user_id: UUID, guild_id: int, form: ModuleForm) -> GuildPage:
        page = await self._guilds.load_page_of_modules(browser, user_id, guild_id, fresh=True)
        if form.act == "on" and form.channel not in {str(channel.id) for channel in page.writable}:
            raise ChannelNotWritable
        return page
