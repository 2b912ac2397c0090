"""`/guilds/{id}/access`: the role that may manage the modules of a server."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.forms import Draft, FormError, HxDraft
from bongsu_dashboard.guild_access.schemas import AccessForm
from bongsu_dashboard.guild_access.service import AccessPage, GuildAccess
from bongsu_dashboard.pages.dependencies import GuildId, Rendering, SignedIn
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/guilds/{guild_id}/access", include_in_schema=False)
Access = Annotated[GuildAccess, Provided(GuildAccess)]


@router.get("")
async def show_access(render: Rendering, _user: SignedIn, access: Access, guild_id: GuildId) -> Response:
    return _access_page(render, await access.load_page(render.browser, guild_id), Draft())


@router.post("")
async def set_access(
    render: Rendering, _user: SignedIn, access: Access, guild_id: GuildId, form: HxDraft[AccessForm]
) -> Response:
    try:
        found = await access.set(render.browser, guild_id, form.accept())
    except FormError as error:
        page = await access.load_page(render.browser, guild_id)
        return _access_page(render, page, form.refused_by(error), status_of(error))
    flash = "ok.access_given" if found.role_id is not None else "ok.access_withdrawn"
    return render.redirect(f"/guilds/{guild_id}/access", flash=flash)


def _access_page(render: Render, page: AccessPage, form: Draft[AccessForm], status: int = 200) -> Response:
    return render(
        "guild_access/access.html",
        status=status,
        guild=page.guild.guild,
        delegation=page.delegation,
        form=form,
        attempt=form.value("attempt") or secrets.token_urlsafe(24),
    )
