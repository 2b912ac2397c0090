"""`/guilds`: my servers, one of them, adding the bot and removing it.

Every route asks anew whether the user manages the guild, and those that change something ask Discord itself.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from bongsu.runtime.errors import Unavailable
from bongsu_dashboard.accounts.service import flash_of_linking
from bongsu_dashboard.errors import BotSilent, DiscordNotLinked, NameNotTyped
from bongsu_dashboard.forms import Draft, FieldProblem, HxDraft, HxForm
from bongsu_dashboard.guilds import pending, service
from bongsu_dashboard.guilds.guild import FILTERS, Guild
from bongsu_dashboard.guilds.port import Bot, GuildDirectory
from bongsu_dashboard.guilds.schemas import AddForm, RemoveForm
from bongsu_dashboard.notifications.port import NotifyClient
from bongsu_dashboard.notifications.service import SUMMARY_SIZE, Summary, summarise
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn
from bongsu_dashboard.pages.rendering import Render

GuildId = Annotated[int, Path(ge=0, lt=2**64)]


@dataclass(frozen=True, slots=True)
class GuildPages:
    """What the routes work with."""

    directory: GuildDirectory
    bot: Bot
    notify: NotifyClient
    wait_s: int

    def pending(self, render: Render) -> dict[int, int]:
        """What this browser remembers to have added."""
        return pending.read(render.request.cookies.get(render.pages.cookies.pending), wait_s=self.wait_s)

    def remember(self, render: Render, response: Response, remembered: dict[int, int]) -> Response:
        """Keep it in the browser."""
        cookies = render.pages.cookies
        cookies.set(response, cookies.pending, pending.write(remembered), max_age_s=self.wait_s)
        return response

    async def find(self, render: Render, guild_id: int) -> Guild:
        """One guild that the user manages."""
        remembered = frozenset(self.pending(render))
        return await service.find(self.directory, self.bot, render.browser, guild_id, pending=remembered)

    async def summary(self, render: Render) -> Summary | None:
        """What came of the last notifications; None where notify does not answer."""
        try:
            page = await self.notify.list_page(render.browser, limit=SUMMARY_SIZE)
        except Unavailable:
            return None
        return summarise(page, datetime.now(UTC))

    def page(self, render: Render, guild: Guild, form: Draft[RemoveForm] | None = None, status: int = 200) -> Response:
        """The page of one guild."""
        form = form or Draft()
        return render(
            "guilds/guild.html",
            fragment="guilds/_state.html",
            status=status,
            guild=guild,
            form=form,
            attempt=form.value("attempt") or secrets.token_urlsafe(24),
            timed_out=False,
        )


def create_router(pages: GuildPages) -> APIRouter:
    """The routes, for who is signed in."""
    router = APIRouter(prefix="/guilds", include_in_schema=False)

    @router.get("")
    async def guilds(
        render: Rendering,
        _user: SignedIn,
        q: Annotated[str, Query(max_length=100)] = "",
        show: str = "all",
        fresh: bool = False,
        linked: str | None = None,
        error: str | None = None,
    ) -> Response:
        if linked is not None or error is not None:
            return render.redirect("/guilds", flash=flash_of_linking(error))
        remembered = frozenset(pages.pending(render))
        try:
            found, count, summary = await asyncio.gather(
                service.listed(pages.directory, pages.bot, render.browser, pending=remembered, fresh=fresh),
                service.bot_count(pages.bot),
                pages.summary(render),
            )
        except DiscordNotLinked as missing:
            return render("guilds/link.html", again=missing.again)
        show = show if show in FILTERS else "all"
        return render(
            "guilds/list.html",
            fragment="guilds/_results.html",
            guilds=found,
            shown=found.shown(show, q),
            counts=found.counted(FILTERS),
            show=show,
            q=q,
            bot_count=count,
            summary=summary,
        )

    @router.get("/{guild_id}")
    async def guild(render: Rendering, _user: SignedIn, guild_id: GuildId) -> Response:
        return pages.page(render, await pages.find(render, guild_id))

    @router.get("/{guild_id}/state")
    async def state(render: Rendering, _user: SignedIn, guild_id: GuildId) -> Response:
        """What the page of a guild asks for again and again while the bot is being added."""
        found = await pages.find(render, guild_id)
        if not render.is_partial:
            return render.redirect(f"/guilds/{guild_id}")
        if found.state in ("active", "outage"):
            return render.redirect(f"/guilds/{guild_id}", flash="ok.bot_added")
        return render("guilds/_state.html", guild=found, timed_out=found.state == "not_added")

    _add_adding(router, pages)
    _add_removing(router, pages)
    return router


def _add_adding(router: APIRouter, pages: GuildPages) -> None:
    @router.post("/{guild_id}/bot")
    async def add(render: Rendering, _user: SignedIn, _form: HxForm[AddForm], guild_id: GuildId) -> Response:
        """To Discord, with the guild chosen already."""
        await service.require_managed(pages.directory, render.browser, guild_id, fresh=True)
        departure = await pages.directory.install(render.browser, guild_id, f"/guilds/{guild_id}/added")
        return render.pass_on(render.redirect(departure.url), departure.cookies)

    @router.get("/{guild_id}/added")
    async def added(
        render: Rendering, _user: SignedIn, guild_id: GuildId, installed: int | None = None, error: str | None = None
    ) -> Response:
        """Back from Discord, which says to which guild the bot was added: most likely, but not surely, this one."""
        if installed is not None:
            guild_id = installed
        to = f"/guilds/{guild_id}"
        if error is not None:
            return render.redirect(to, flash="note.not_added")
        found = await pages.find(render, guild_id)
        if found.state in ("active", "outage"):
            return render.redirect(to, flash="ok.bot_added")
        remembered = pages.pending(render) | {guild_id: int(time.time())}
        return pages.remember(render, render.redirect(to), remembered)


def _add_removing(router: APIRouter, pages: GuildPages) -> None:
    @router.post("/{guild_id}/bot/remove")
    async def remove(render: Rendering, _user: SignedIn, form: HxDraft[RemoveForm], guild_id: GuildId) -> Response:
        """Out of the guild, once however often this is sent."""
        if form.model is None:
            return pages.page(render, await pages.find(render, guild_id), form, 422)
        typed, key = form.model.name, form.model.attempt
        try:
            await service.remove(pages.directory, pages.bot, render.browser, guild_id, typed=typed, key=key)
        except NameNotTyped:
            wrong = form.refused(FieldProblem("name", "not_the_name"))
            return pages.page(render, await pages.find(render, guild_id), wrong, 422)
        except BotSilent:
            silent = form.refused(FieldProblem("", "bot_silent"))
            return pages.page(render, await pages.find(render, guild_id), silent, 503)
        remembered = pages.pending(render)
        remembered.pop(guild_id, None)
        return pages.remember(render, render.redirect("/guilds", flash="ok.bot_removed"), remembered)
