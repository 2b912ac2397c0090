"""`/admin/guilds`: all servers that the bot is in, for administrators of the project."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from bongsu.contracts.guilds import GuildSummary
from bongsu.identity.scopes import Role
from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.all_guilds.schemas import BlockForm, UnblockForm
from bongsu_dashboard.all_guilds.service import AllGuilds
from bongsu_dashboard.errors import GuildNotFound, RemovalUnknown
from bongsu_dashboard.forms import Draft, FormError, HxDraft, HxForm
from bongsu_dashboard.guilds.schemas import RemoveForm
from bongsu_dashboard.pages.dependencies import GuildId, Rendering, require_role
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/admin/guilds", include_in_schema=False)

LIST = "/admin/guilds"
BLOCKED = f"{LIST}/blocked"
After = Annotated[int | None, Query(ge=0, lt=2**64)]
"""The last ID of the page before."""
Service = Annotated[AllGuilds, Provided(AllGuilds)]
Administrator = Annotated[User, Depends(require_role(Role.ADMINISTRATOR))]


@router.get("")
async def list_guilds(
    render: Rendering,
    _user: Administrator,
    guilds: Service,
    after: After = None,
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    q = q.strip()
    return render("all_guilds/list.html", page=await guilds.list_page(after, q), q=q)


@router.get("/blocked")
async def list_blocked(
    render: Rendering,
    _user: Administrator,
    guilds: Service,
    after: After = None,
    guild: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """The block list, and a form that blocks `guild`."""
    return render(
        "all_guilds/blocked.html",
        page=await guilds.list_blocked(after),
        form=Draft(),
        guild=guild,
        attempt=secrets.token_urlsafe(24),
    )


@router.post("/blocked")
async def block_guild(render: Rendering, _user: Administrator, guilds: Service, form: HxDraft[BlockForm]) -> Response:
    try:
        wanted = form.accept()
        await guilds.block(render.browser, int(wanted.guild_id), reason=wanted.reason, key=wanted.attempt)
    except FormError as error:
        return render(
            "all_guilds/blocked.html",
            status=status_of(error),
            page=await guilds.list_blocked(None),
            form=form.refused_by(error),
            guild="",
            attempt=form.value("attempt") or secrets.token_urlsafe(24),
        )
    return render.redirect(BLOCKED, flash="ok.guild_blocked")


@router.post("/blocked/{guild_id}/remove")
async def unblock_guild(
    render: Rendering, _user: Administrator, guilds: Service, form: HxForm[UnblockForm], guild_id: GuildId
) -> Response:
    await guilds.unblock(render.browser, guild_id, key=form.attempt)
    return render.redirect(BLOCKED, flash="ok.guild_unblocked")


@router.get("/{guild_id}")
async def show_guild(render: Rendering, _user: Administrator, guilds: Service, guild_id: GuildId) -> Response:
    return _guild_page(render, await guilds.find(guild_id), Draft())


@router.post("/{guild_id}/remove")
async def remove_bot(
    render: Rendering, _user: Administrator, guilds: Service, form: HxDraft[RemoveForm], guild_id: GuildId
) -> Response:
    try:
        wanted = form.accept()
        await guilds.remove(render.browser, guild_id, typed=wanted.name, key=wanted.attempt)
    except GuildNotFound:
        # Removed by this form, which was sent twice, or in another tab.
        return render.redirect(LIST, flash="note.bot_not_there")
    except RemovalUnknown:
        return render.redirect(f"{LIST}/{guild_id}", flash="note.removal_unknown")
    except FormError as error:
        return _guild_page(render, await guilds.find(guild_id), form.refused_by(error), status_of(error))
    return render.redirect(LIST, flash="ok.bot_removed")


def _guild_page(render: Render, guild: GuildSummary, form: Draft[RemoveForm], status: int = 200) -> Response:
    return render(
        "all_guilds/guild.html",
        status=status,
        guild=guild,
        form=form,
        attempt=form.value("attempt") or secrets.token_urlsafe(24),
    )
