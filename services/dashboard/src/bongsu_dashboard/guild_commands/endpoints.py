"""`/guilds/{id}/commands`: the commands that are on in a server."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.forms import Draft, FormError, HxDraft
from bongsu_dashboard.guild_commands.schemas import CommandsForm
from bongsu_dashboard.guild_commands.service import CommandsPage, CommandSwitches
from bongsu_dashboard.pages.dependencies import GuildId, Rendering, SignedIn
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/guilds/{guild_id}/commands", include_in_schema=False)
Switches = Annotated[CommandSwitches, Provided(CommandSwitches)]


@router.get("")
async def show_commands(render: Rendering, _user: SignedIn, switches: Switches, guild_id: GuildId) -> Response:
    return _commands_page(render, await switches.load_page(render.browser, guild_id), Draft())


@router.post("")
async def set_commands(
    render: Rendering, _user: SignedIn, switches: Switches, guild_id: GuildId, form: HxDraft[CommandsForm]
) -> Response:
    try:
        await switches.set(render.browser, guild_id, form.accept())
    except FormError as error:
        page = await switches.load_page(render.browser, guild_id)
        return _commands_page(render, page, form.refused_by(error), status_of(error))
    return render.redirect(f"/guilds/{guild_id}/commands", flash="ok.commands_set")


def _commands_page(render: Render, page: CommandsPage, form: Draft[CommandsForm], status: int = 200) -> Response:
    sent = set(form.values.get("on", ())) if form.values else None
    return render(
        "guild_commands/commands.html",
        status=status,
        guild=page.guild.guild,
        state=page.state,
        commands=[(one.name, not one.is_off if sent is None else one.name in sent) for one in page.commands],
        form=form,
        attempt=form.value("attempt") or secrets.token_urlsafe(24),
    )
