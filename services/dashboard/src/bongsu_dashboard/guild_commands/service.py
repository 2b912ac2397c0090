"""The commands of a server, which its managers switch on and off."""

from collections.abc import Sequence
from dataclasses import dataclass

from bongsu.contracts.guild_commands import CommandState, GuildCommands
from bongsu.runtime.background import together
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.guild_commands.schemas import CommandsForm
from bongsu_dashboard.guilds.bot_health import unless_silent
from bongsu_dashboard.guilds.port import Bot, GuildDirectory
from bongsu_dashboard.guilds.service import GuildPage, Guilds


@dataclass(frozen=True, slots=True)
class CommandsPage:
    """A server and its commands: None while the bot does not answer, or is not in the server."""

    guild: GuildPage
    state: GuildCommands | None

    @property
    def commands(self) -> Sequence[CommandState]:
        """The commands without their groups, which have no more to switch than these."""
        return single_commands(self.state) if self.state is not None else ()


def single_commands(state: GuildCommands) -> Sequence[CommandState]:
    """Return the commands that are no group."""
    groups = {one.name.partition(" ")[0] for one in state.commands if " " in one.name}
    return tuple(one for one in state.commands if one.name not in groups)


class CommandSwitches:
    """Reads and sets the commands at the bot, which asks Discord whether the user manages the server."""

    def __init__(self, guilds: Guilds, directory: GuildDirectory, bot: Bot) -> None:
        self._guilds = guilds
        self._directory = directory
        self._bot = bot

    async def load_page(self, browser: Browser, guild_id: int) -> CommandsPage:
        """Load a server with its commands.

        :raises GuildNotFound: the user does not manage it.
        """
        page, state = await together(
            self._guilds.load_page(browser, guild_id, pending=frozenset()),
            unless_silent(self._bot.load_commands(guild_id)),
        )
        return CommandsPage(page, state if page.guild.has_bot else None)

    async def set(self, browser: Browser, guild_id: int, form: CommandsForm) -> None:
        """Set the commands, once for each `attempt` of the form. A command that the form does not show is on.

        :raises GuildNotFound: the user does not manage the server now.
        :raises CommandsOutdated: another change came first.
        :raises BotSilent: the bot does not answer.
        """
        await self._guilds.load_page(browser, guild_id, pending=frozenset(), fresh=True)
        known = single_commands(await self._bot.load_commands(guild_id))
        assertion = await self._directory.create_assertion(browser, method="commands_put", guild_id=guild_id)
        await self._bot.put_commands(
            guild_id,
            off=tuple(one.name for one in known if one.name not in form.on),
            revision=form.revision,
            assertion=assertion,
            key=form.attempt,
        )
