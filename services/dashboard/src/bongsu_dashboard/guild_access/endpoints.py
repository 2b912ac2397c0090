"""`/guilds/{id}/access`: the role that may manage the modules of a server."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.errors import AccessOutdated, BotSilent, RoleUnknown
from bongsu_dashboard.forms import Draft, HxDraft
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
    status = 422
    if form.model is not None:
        try:
            found = await access.set(render.browser, guild_id, form.model)
        except (BotSilent, RoleUnknown) as error:
            form, status = form.refused_by(error), status_of(error)
        except AccessOutdated as error:
            # The form shows the other change now, which the user has not seen.
            unseen: Draft[AccessForm] = Draft()
            form, status = unseen.refused_by(error), status_of(error)
        else:
            flash = "ok.access_given" if found.role_id is not None else "ok.access_withdrawn"
            return render.redirect(f"/guilds/{guild_id}/access", flash=flash)
    return _access_page(render, await access.load_page(render.browser, guild_id), form, status)


def _access_page(render: Render, page: AccessPage, form: Draft[AccessForm], status: int = 200) -> Response:
    return render(
        "guild_access/access.html",
        status=status,
        guild=page.guild.guild,
        delegation=page.delegation,
        form=form,
        attempt=form.value("attempt") or secrets.token_urlsafe(24),
    )
