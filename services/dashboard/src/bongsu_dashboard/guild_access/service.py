"""Which role may manage the modules of a server, as its managers set it."""

from dataclasses import dataclass

from bongsu.contracts.rpc import ModuleDelegation
from bongsu.runtime.background import together
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.guild_access.schemas import AccessForm
from bongsu_dashboard.guilds.bot_health import unless_silent
from bongsu_dashboard.guilds.port import Bot, GuildDirectory
from bongsu_dashboard.guilds.service import GuildPage, Guilds


@dataclass(frozen=True, slots=True)
class AccessPage:
    """A server and its delegation: None while the bot does not answer, or is not in the server."""

    guild: GuildPage
    delegation: ModuleDelegation | None


class GuildAccess:
    """Reads and sets the delegation at the bot, which asks Discord whether the user manages the server."""

    def __init__(self, guilds: Guilds, directory: GuildDirectory, bot: Bot) -> None:
        self._guilds = guilds
        self._directory = directory
        self._bot = bot

    async def load_page(self, browser: Browser, guild_id: int) -> AccessPage:
        """Load a server with its delegation.

        :raises GuildNotFound: the user does not manage it.
        """
        page, delegation = await together(
            self._guilds.load_page(browser, guild_id, pending=frozenset()),
            unless_silent(self._bot.load_delegation(guild_id)),
        )
        return AccessPage(page, delegation if page.guild.has_bot else None)

    async def set(self, browser: Browser, guild_id: int, form: AccessForm) -> ModuleDelegation:
        """Set the role, once for each `attempt` of the form.

        :raises GuildNotFound: the user does not manage the server now.
        :raises AccessOutdated: another change came first.
        :raises RoleUnknown: the server has no such role.
        :raises BotSilent: the bot does not answer.
        """
        await self._guilds.load_page(browser, guild_id, pending=frozenset(), fresh=True)
        assertion = await self._directory.create_assertion(browser, method="delegation_put", guild_id=guild_id)
        return await self._bot.put_delegation(
            guild_id,
            role_id=int(form.role) if form.role else None,
            revision=form.revision,
            assertion=assertion,
            key=form.attempt,
        )
