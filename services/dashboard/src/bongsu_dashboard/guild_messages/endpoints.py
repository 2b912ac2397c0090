"""`/guilds/{id}/messages`: a message to a channel of a server."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.forms import Draft, FormError, HxDraft
from bongsu_dashboard.guild_messages.schemas import MessageForm
from bongsu_dashboard.guild_messages.service import GuildMessages
from bongsu_dashboard.guilds.service import GuildPage
from bongsu_dashboard.pages.dependencies import GuildId, Rendering, SignedIn
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/guilds/{guild_id}/messages", include_in_schema=False)
Messages = Annotated[GuildMessages, Provided(GuildMessages)]


@router.get("/new")
async def show_message_form(
    render: Rendering,
    _user: SignedIn,
    messages: Messages,
    guild_id: GuildId,
    channel: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """The form, with `channel` selected."""
    page = await messages.load_page(render.browser, guild_id)
    return _form_page(render, page, Draft(values={"channel": [channel]}))


@router.post("")
async def send_message(
    render: Rendering, _user: SignedIn, messages: Messages, guild_id: GuildId, form: HxDraft[MessageForm]
) -> Response:
    try:
        made = await messages.send(render.browser, guild_id, form.accept())
    except FormError as error:
        page = await messages.load_page(render.browser, guild_id)
        return _form_page(render, page, form.refused_by(error), status_of(error))
    return render.redirect(f"/notifications/{made.id}", flash="ok.sent")


def _form_page(render: Render, page: GuildPage, form: Draft[MessageForm], status: int = 200) -> Response:
    return render(
        "guild_messages/new.html",
        fragment="guild_messages/_form.html",
        status=status,
        form=form,
        guild=page.guild,
        channels=page.writable,
        is_known=page.detail is not None,
        attempt=form.value("attempt") or secrets.token_urlsafe(24),
    )
