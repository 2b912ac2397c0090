"""Modules of servers that the user manages."""

import asyncio
from dataclasses import dataclass

from bongsu.contracts.rpc import GuildModules, ModuleState
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import BotSilent, ChannelNotWritable
from bongsu_dashboard.guild_modules.schemas import ModuleForm
from bongsu_dashboard.guilds.port import Bot, GuildDirectory
from bongsu_dashboard.guilds.service import GuildPage, Guilds


@dataclass(frozen=True, slots=True)
class ModulesPage:
    """A server and its modules: None while the bot does not answer, or is not in the server."""

    guild: GuildPage
    modules: GuildModules | None


class Modules:
    """Reads and sets modules at the bot, which asks Discord whether the user manages the server."""

    def __init__(self, guilds: Guilds, directory: GuildDirectory, bot: Bot) -> None:
        self._guilds = guilds
        self._directory = directory
        self._bot = bot

    async def load_page(self, browser: Browser, guild_id: int) -> ModulesPage:
        """Load a server with its modules.

        :raises GuildNotFound: the user does not manage it.
        """
        page, modules = await asyncio.gather(
            self._guilds.load_page(browser, guild_id, pending=frozenset()), self._load_modules(guild_id)
        )
        return ModulesPage(page, modules if page.guild.has_bot else None)

    async def set(self, browser: Browser, guild_id: int, form: ModuleForm) -> ModuleState:
        """Set a module, once for each `attempt` of the form.

        :raises GuildNotFound: the user does not manage the server now.
        :raises ModuleOutdated: another change came first.
        :raises ChannelNotWritable: no channel of the server in which the bot may write is selected.
        :raises BotSilent: the bot does not answer.
        """
        page = await self._guilds.load_page(browser, guild_id, pending=frozenset(), fresh=True)
        is_on = form.act == "on"
        if is_on and form.channel not in {str(channel.id) for channel in page.writable}:
            raise ChannelNotWritable
        assertion = await self._directory.create_assertion(browser, method="module_put", guild_id=guild_id)
        return await self._bot.put_module(
            guild_id,
            form.module,
            enabled=is_on,
            channel_id=int(form.channel) if form.channel else None,
            revision=form.revision,
            assertion=assertion,
            key=form.attempt,
        )

    async def _load_modules(self, guild_id: int) -> GuildModules | None:
        try:
            return await self._bot.load_modules(guild_id)
        except BotSilent:
            return None
