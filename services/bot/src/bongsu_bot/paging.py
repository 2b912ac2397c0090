"""Replies with buttons to the previous and the next page."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import discord

from bongsu_bot.language import text

TIMEOUT_S: Final = 600
"""Shorter than the 15 minutes in which Discord lets the bot disable the buttons."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the cursor of the following one; None at the end."""

    embed: discord.Embed
    next: str | None


Load = Callable[[str | None], Awaitable[Page]]
"""Loads the page at a cursor, or the first one. It asks for the user's authority each time."""


class PagedReply(discord.ui.View):
    """Buttons below a private reply."""

    def __init__(self, source: discord.ApplicationContext, load: Load) -> None:
        super().__init__(timeout=TIMEOUT_S, disable_on_timeout=True)
        self._load = load
        self._cursors: list[str | None] = []
        self._following: str | None = None
        self._previous: discord.ui.Button[PagedReply] = discord.ui.Button(label=text(source, "paging.previous"))
        self._next: discord.ui.Button[PagedReply] = discord.ui.Button(label=text(source, "paging.next"))
        self._previous.callback = self._show_previous  # type: ignore[method-assign]  # as py-cord documents
        self._next.callback = self._show_next  # type: ignore[method-assign]  # as above
        self.add_item(self._previous)
        self.add_item(self._next)

    async def send(self, context: discord.ApplicationContext) -> None:
        """Reply with the first page; without buttons if it is the only one."""
        page = await self._turn([None])
        if page.next is None:
            self.stop()
            await context.respond(embed=page.embed, ephemeral=True)
        else:
            await context.respond(embed=page.embed, view=self, ephemeral=True)

    async def _turn(self, cursors: list[str | None]) -> Page:
        page = await self._load(cursors[-1])
        self._cursors, self._following = cursors, page.next
        self._previous.disabled = len(cursors) == 1
        self._next.disabled = page.next is None
        return page

    async def _show_previous(self, interaction: discord.Interaction) -> None:
        await self._show(interaction, self._cursors[:-1] or [None])

    async def _show_next(self, interaction: discord.Interaction) -> None:
        await self._show(interaction, [*self._cursors, self._following])

    async def _show(self, interaction: discord.Interaction, cursors: list[str | None]) -> None:
        await interaction.response.defer()
        page = await self._turn(cursors)
        await interaction.edit_original_response(embed=page.embed, view=self)
