"""Replies with buttons to the previous and the next page, which work after a restart and at every process of the bot.

The button's `custom_id` names a row with the command, its options and the pages on the way to the one that is shown.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

import discord

from bongsu.identity.scopes import Permission
from bongsu.mixins import Database
from bongsu_bot.apis import Apis, LinkedUser
from bongsu_bot.bot import BongsuBot
from bongsu_bot.errors import PageExpired, needs_database
from bongsu_bot.guild_commands.switches import CommandSwitches
from bongsu_bot.language import text
from bongsu_bot.pages import service

PREFIX: Final = "page"
Options = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the cursor of the following one; None at the end."""

    embed: discord.Embed
    next: str | None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks for a page of a command's reply: by the command, or by a button.

    :param source: for texts in the user's language.
    """

    bot: BongsuBot
    source: discord.Interaction
    discord_user_id: int
    command: str

    async def authorise(self, permission: Permission | None = None) -> LinkedUser:
        """Return the linked user, for this page; errors as in `Apis.authorise`."""
        return await self.bot.find(Apis).authorise(self.discord_user_id, self.command, permission)

    def text(self, key: str, **values: object) -> str:
        """As `language.text`."""
        return text(self.source, key, **values)


Load = Callable[[Viewer, Options, str | None], Awaitable[Page]]
"""Loads the page at a cursor, or the first one. It asks for the user's authority each time."""
_LOADERS: Final[dict[str, Load]] = {}


def paged(command: str) -> Callable[[Load], Load]:
    """Declare how the pages of a command are loaded; `command` with its group, such as `users find`."""

    def declare(load: Load) -> Load:
        _LOADERS[command] = load
        return load

    return declare


async def reply(context: discord.ApplicationContext, **options: str | None) -> None:
    """Reply privately with the first page of the command that runs; without buttons if it is the only one."""
    assert context.command is not None  # noqa: S101 - it runs
    bot, command = cast("BongsuBot", context.bot), context.command.qualified_name
    viewer = Viewer(bot, context.interaction, context.author.id, command)
    page = await _LOADERS[command](viewer, options, None)
    if page.next is None:
        await context.respond(embed=page.embed, ephemeral=True)
        return
    async with needs_database():
        stored = await bot.find(Database).run(service.store, viewer.discord_user_id, command, options, page.next)
    await context.respond(embed=page.embed, view=_buttons(viewer, stored, depth=1, has_next=True), ephemeral=True)


async def turn(bot: BongsuBot, interaction: discord.Interaction, custom_id: str) -> None:
    """Show the page that a button leads to.

    :raises PageExpired: the reply is old, or of a command that no longer exists.
    :raises CommandOff: the command has been switched off in the server.
    :raises BotNotReady: the database does not answer.
    """
    _, reply_id, direction = custom_id.split(":")
    await interaction.response.defer()
    assert interaction.user is not None  # noqa: S101 - a user pressed it
    database = bot.find(Database)
    async with needs_database():
        found = await database.run(service.find, UUID(reply_id), interaction.user.id)
    await bot.find(CommandSwitches).require_on(found.command, interaction)
    load = _LOADERS.get(found.command)
    if load is None:
        raise PageExpired
    cursors: list[str | None] = [*found.cursors]
    if direction == "next" and found.following is not None:
        cursors.append(found.following)
    elif direction == "previous":
        cursors = cursors[:-1] or [None]
    viewer = Viewer(bot, interaction, interaction.user.id, found.command)
    page = await load(viewer, found.options, cursors[-1])
    async with needs_database():
        await database.run(service.turn, found.id, cursors, page.next)
    view = _buttons(viewer, found.id, depth=len(cursors), has_next=page.next is not None)
    await interaction.edit_original_response(embed=page.embed, view=view)


def _buttons(viewer: Viewer, reply_id: UUID, *, depth: int, has_next: bool) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for direction, enabled in (("previous", depth > 1), ("next", has_next)):
        button: discord.ui.Button[discord.ui.View] = discord.ui.Button(
            label=viewer.text(f"paging.{direction}"),
            custom_id=f"{PREFIX}:{reply_id}:{direction}",
            disabled=not enabled,
        )
        view.add_item(button)
    view.stop()  # the listener answers the buttons: py-cord need not remember the view
    return view
