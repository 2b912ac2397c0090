"""`/guilds`: the user's servers, one of them, and adding and removing the bot.

Every route checks that the user manages the guild; those that change something ask Discord, not a cache.
"""

import secrets
import time
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.accounts.service import flash_of_linking
from bongsu_dashboard.errors import BotCutOff, DiscordNotLinked, GuildBlocked, RemovalUnknown
from bongsu_dashboard.forms import Draft, Form, FormError, HxDraft, HxForm
from bongsu_dashboard.guilds.bot_health import BotHealth
from bongsu_dashboard.guilds.guild import FILTERS, Guild
from bongsu_dashboard.guilds.pending import PendingInstalls
from bongsu_dashboard.guilds.schemas import RemoveForm
from bongsu_dashboard.guilds.service import GuildPage, Guilds
from bongsu_dashboard.pages.dependencies import GuildId, Rendering, SignedIn
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/guilds", include_in_schema=False)

Removing = Annotated[int | None, Query(ge=0, lt=2**40)]
"""When a removal was requested whose outcome is unknown (Unix time)."""
REMOVAL_CHECK_S: Final = 60
GuildsService = Annotated[Guilds, Provided(Guilds)]
Pending = Annotated[PendingInstalls, Provided(PendingInstalls)]


@router.get("")
async def show_list(
    render: Rendering,
    user: SignedIn,
    guilds: GuildsService,
    pending: Pending,
    q: Annotated[str, Query(max_length=100)] = "",
    show: str = "all",
    fresh: bool = False,
    linked: str | None = None,
    error: str | None = None,
    delegated_after: Annotated[int | None, Query(ge=0, lt=2**64)] = None,
) -> Response:
    if linked is not None or error is not None:
        return render.redirect("/guilds", flash=flash_of_linking(error))
    waiting = pending.guild_ids(render)
    try:
        shown_to = None if render.is_partial else user.id
        overview = await guilds.load_overview(
            render.browser, shown_to, pending=waiting, fresh=fresh, delegated_after=delegated_after
        )
    except DiscordNotLinked as missing:
        return render("guilds/link.html", again=missing.again)
    show = show if show in FILTERS else "all"
    # The bot joined between two pages: this one confirms it. A fragment cannot.
    joined = [] if render.is_partial else [one.id for one in overview.guilds.items if one.has_bot and one.id in waiting]
    page = render(
        "guilds/list.html",
        fragment="guilds/_results.html",
        guilds=overview.guilds,
        shown=overview.guilds.search(show, q),
        counts=overview.guilds.count_by_filter(FILTERS),
        show=show,
        q=q,
        bot=overview.guilds.bot,
        summary=overview.summary,
        delegated=overview.delegated,
        delegated_next=overview.delegated_next,
        flash="ok.bot_added" if joined else None,
    )
    return pending.remove(render, page, *joined) if joined else page


@router.get("/bot-health")
async def show_bot_health(
    render: Rendering, _user: SignedIn, guilds: GuildsService, seen: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """What a page polls while the bot is not connected: 204, or the page once more when that has changed."""
    connection = (await guilds.check_bot(counted=False)).connection
    if not render.is_partial:
        return render.redirect("/guilds")
    return Response(status_code=204) if connection == seen else render.redirect(render.here)


@router.get("/{guild_id}")
async def show_guild(
    render: Rendering,
    _user: SignedIn,
    guilds: GuildsService,
    pending: Pending,
    guild_id: GuildId,
    removing: Removing = None,
) -> Response:
    waiting = pending.guild_ids(render)
    page = await guilds.load_page(render.browser, guild_id, pending=waiting)
    if removing is not None:
        if page.guild.state == "not_added":
            return render.redirect("/guilds", flash="ok.bot_removed")
        return _guild_page(render, page, removing=removing)
    if page.guild.has_bot and guild_id in waiting:
        # The bot joined between two pages, so neither the return from Discord nor a poll has confirmed it.
        return pending.remove(render, _guild_page(render, page, flash="ok.bot_added"), guild_id)
    return _guild_page(render, page)


@router.get("/{guild_id}/state")
async def show_state(
    render: Rendering,
    _user: SignedIn,
    guilds: GuildsService,
    pending: Pending,
    guild_id: GuildId,
    seen: Annotated[str | None, Query(max_length=20)] = None,
    removing: Removing = None,
) -> Response:
    """The fragment that a guild's page polls until the bot's state is settled; 204 while nothing changed."""
    guild, bot = await guilds.find(render.browser, guild_id, pending=pending.guild_ids(render))
    if not render.is_partial:
        return render.redirect(f"/guilds/{guild_id}")
    if removing is not None:
        return _removal_state(render, guild, bot, removing)
    if guild.state == seen:
        return Response(status_code=204)
    if guild.has_bot or seen in ("outage", "unknown"):
        # The whole page changes with it: it confirms the addition, or offers what is possible again.
        return render.redirect(f"/guilds/{guild_id}")
    timed_out = guild.state == "not_added"
    return render("guilds/_state.html", guild=guild, bot=bot, timed_out=timed_out, checking=None, removal_failed=False)


@router.post("/{guild_id}/bot")
async def add_bot(
    render: Rendering, _user: SignedIn, guilds: GuildsService, _form: HxForm[Form], guild_id: GuildId
) -> Response:
    try:
        install = await guilds.start_install(render.browser, guild_id, next_path=f"/guilds/{guild_id}/added")
    except BotCutOff:
        return render.redirect(f"/guilds/{guild_id}", flash="bad.bot_cut_off")
    except GuildBlocked:
        return render.redirect(f"/guilds/{guild_id}", flash="bad.guild_is_blocked")
    return render.pass_on(render.redirect(install.url), install.cookies)


@router.get("/{guild_id}/added")
async def finish_adding(
    render: Rendering,
    _user: SignedIn,
    guilds: GuildsService,
    pending: Pending,
    guild_id: GuildId,
    installed: int | None = None,
    error: str | None = None,
) -> Response:
    """The return from Discord. `installed` is the guild that Discord named, usually the one in the path."""
    if installed is not None:
        guild_id = installed
    page = render.redirect(f"/guilds/{guild_id}", flash="note.not_added" if error is not None else None)
    if error is not None:
        return page
    guild, _ = await guilds.find(render.browser, guild_id, pending=pending.guild_ids(render))
    if guild.has_bot:
        return render.redirect(f"/guilds/{guild_id}", flash="ok.bot_added")
    return pending.add(render, page, guild_id)


@router.post("/{guild_id}/permissions")
async def request_permissions(
    render: Rendering, _user: SignedIn, guilds: GuildsService, _form: HxForm[Form], guild_id: GuildId
) -> Response:
    """Ask for the bot's permissions once more: Discord adds to its role what is missing."""
    try:
        install = await guilds.start_install(render.browser, guild_id, next_path=f"/guilds/{guild_id}/permissions")
    except BotCutOff:
        return render.redirect(f"/guilds/{guild_id}", flash="bad.bot_cut_off")
    except GuildBlocked:
        return render.redirect(f"/guilds/{guild_id}", flash="bad.guild_is_blocked")
    return render.pass_on(render.redirect(install.url), install.cookies)


@router.get("/{guild_id}/permissions")
async def finish_permissions(
    render: Rendering,
    _user: SignedIn,
    guilds: GuildsService,
    pending: Pending,
    guild_id: GuildId,
    error: str | None = None,
) -> Response:
    """The return from Discord."""
    await guilds.find(render.browser, guild_id, pending=pending.guild_ids(render))
    flash = "ok.permissions_requested" if error is None else "note.permissions_not_requested"
    return render.redirect(f"/guilds/{guild_id}", flash=flash)


@router.post("/{guild_id}/bot/remove")
async def remove_bot(
    render: Rendering,
    _user: SignedIn,
    guilds: GuildsService,
    pending: Pending,
    form: HxDraft[RemoveForm],
    guild_id: GuildId,
) -> Response:
    try:
        wanted = form.accept()
        await guilds.remove(render.browser, guild_id, typed=wanted.name, key=wanted.attempt)
    except RemovalUnknown:
        return render.redirect(f"/guilds/{guild_id}?removing={int(time.time())}")
    except FormError as error:
        page = await guilds.load_page(render.browser, guild_id, pending=pending.guild_ids(render))
        return _guild_page(render, page, form.refused_by(error), status_of(error))
    return pending.remove(render, render.redirect("/guilds", flash="ok.bot_removed"), guild_id)


def _removal_state(render: Render, guild: Guild, bot: BotHealth, removing: int) -> Response:
    if guild.state == "not_added":
        return render.redirect("/guilds", flash="ok.bot_removed")
    if _is_checking(removing):
        return Response(status_code=204)
    return render("guilds/_state.html", guild=guild, bot=bot, timed_out=False, checking=None, removal_failed=True)


def _is_checking(removing: int) -> bool:
    return time.time() < removing + REMOVAL_CHECK_S


def _guild_page(
    render: Render,
    page: GuildPage,
    form: Draft[RemoveForm] | None = None,
    status: int = 200,
    *,
    flash: str | None = None,
    removing: int | None = None,
) -> Response:
    is_checking = removing is not None and _is_checking(removing)
    form = form or Draft()
    return render(
        "guilds/guild.html",
        fragment="guilds/_state.html",
        status=status,
        flash=flash,
        page=page,
        guild=page.guild,
        bot=page.bot,
        form=form,
        attempt=form.value("attempt") or secrets.token_urlsafe(24),
        timed_out=False,
        checking=removing if is_checking else None,
        removal_failed=removing is not None and not is_checking,
    )
