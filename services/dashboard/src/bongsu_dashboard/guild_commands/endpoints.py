"""`/guilds/{id}/commands`: the commands that are on in a server."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.errors import BotSilent, CommandsOutdated
from bongsu_dashboard.forms import Draft, HxDraft
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
    status = 422
    if form.model is not None:
        try:
            await switches.set(render.browser, guild_id, form.model)
        except BotSilent as error:
            form, status = form.refused_by(error), status_of(error)
        except CommandsOutdated as error:
            # The form shows the other change now, which the user has not seen.
            unseen: Draft[CommandsForm] = Draft()
            form, status = unseen.refused_by(error), status_of(error)
        else:
            return render.redirect(f"/guilds/{guild_id}/commands", flash="ok.commands_set")
    return _commands_page(render, await switches.load_page(render.browser, guild_id), form, status)


def _commands_page(render: Render, page: CommandsPage, form: Draft[CommandsForm], status: int = 200) -> Response:
    typed = set(form.model.on) if form.model is not None else None
    return render(
        "guild_commands/commands.html",
        status=status,
        guild=page.guild.guild,
        state=page.state,
        commands=[(one.name, not one.is_off if typed is None else one.name in typed) for one in page.commands],
        form=form,
        attempt=form.value("attempt") or secrets.token_urlsafe(24),
    )
