"""`/guilds/{id}/modules`: the modules of a server."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.errors import BotSilent, ChannelNotWritable, ModuleOutdated
from bongsu_dashboard.forms import Draft, FormError, HxDraft, HxForm
from bongsu_dashboard.guild_modules.announcements import Announcements
from bongsu_dashboard.guild_modules.schemas import AnnouncementForm, AnnouncementOffForm, ModuleForm
from bongsu_dashboard.guild_modules.service import Modules, ModulesPage, Review
from bongsu_dashboard.guilds.service import GuildPage
from bongsu_dashboard.pages.dependencies import GuildId, Rendering, SignedIn
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/guilds/{guild_id}/modules", include_in_schema=False)
ModulesService = Annotated[Modules, Provided(Modules)]
AnnouncementsService = Annotated[Announcements, Provided(Announcements)]


@router.get("")
async def show_modules(render: Rendering, user: SignedIn, modules: ModulesService, guild_id: GuildId) -> Response:
    return _modules_page(render, await modules.load_page(render.browser, user.id, guild_id), Draft())


@router.post("")
async def set_module(
    render: Rendering, user: SignedIn, modules: ModulesService, guild_id: GuildId, form: HxDraft[ModuleForm]
) -> Response:
    """Show what the form changes, then make the change that the user has confirmed."""
    status, wanted, lost = 422, form.model, None
    if wanted is not None:
        try:
            if not wanted.confirmed:
                return _review_page(render, await modules.review(render.browser, user.id, guild_id, wanted), wanted)
            state = await modules.set(render.browser, user.id, guild_id, wanted)
        except (BotSilent, ChannelNotWritable) as error:
            form, status = form.refused_by(error), status_of(error)
        except ModuleOutdated as error:
            # The form shows the other change, which the user has not seen; beside it the change that was not saved.
            form, status, lost = Draft(None, {"module": [wanted.module]}).refused_by(error), status_of(error), wanted
        else:
            flash = "ok.module_on" if state.enabled else "ok.module_off"
            return render.redirect(f"/guilds/{guild_id}/modules", flash=flash)
    return _modules_page(render, await modules.load_page(render.browser, user.id, guild_id), form, status, lost=lost)


@router.post("/announcements")
async def switch_on_announcements(
    render: Rendering,
    user: SignedIn,
    modules: ModulesService,
    announcements: AnnouncementsService,
    guild_id: GuildId,
    form: HxDraft[AnnouncementForm],
) -> Response:
    """Have a topic relayed to a channel."""
    try:
        await announcements.switch_on(render.browser, guild_id, form.accept())
    except FormError as error:
        page = await modules.load_page(render.browser, user.id, guild_id)
        return _modules_page(render, page, Draft(), status_of(error), announcement=form.refused_by(error))
    return render.redirect(f"/guilds/{guild_id}/modules", flash="ok.announcement_on")


@router.post("/announcements/off")
async def switch_off_announcements(
    render: Rendering,
    _user: SignedIn,
    announcements: AnnouncementsService,
    guild_id: GuildId,
    form: HxForm[AnnouncementOffForm],
) -> Response:
    """Stop relaying a topic to a channel."""
    await announcements.switch_off(render.browser, guild_id, form.subscription)
    return render.redirect(f"/guilds/{guild_id}/modules", flash="ok.announcement_off")


def _review_page(render: Render, review: Review, form: ModuleForm) -> Response:
    if not review.changes:
        return render.redirect(f"/guilds/{review.guild.guild.id}/modules", flash="note.module_unchanged")
    return render(
        "guild_modules/review.html",
        guild=review.guild.guild,
        changes=review.changes,
        form=form,
        fields=form.model_dump(exclude={"confirmed"}),
        names=_names(review.guild),
    )


def _modules_page(
    render: Render,
    page: ModulesPage,
    form: Draft[ModuleForm],
    status: int = 200,
    *,
    lost: ModuleForm | None = None,
    announcement: Draft[AnnouncementForm] | None = None,
) -> Response:
    """`form` is the one that was refused, of one module; `lost` what it asked for, if another change came first.

    `announcement` is a form of announcements that was refused.
    """
    unchanged: Draft[ModuleForm] = Draft()
    former_names = {str(one.channel_id): one.subscription.channel_name for one in page.announcements or ()}
    return render(
        "guild_modules/modules.html",
        status=status,
        guild=page.guild.guild,
        is_manager=page.guild.is_manager,
        modules=page.modules.modules if page.modules is not None else None,
        channels=page.guild.writable,
        missing=page.guild.detail.missing if page.guild.detail is not None else (),
        names=former_names | _names(page.guild),
        announcements=page.announcements,
        announcement=announcement or Draft(),
        refused=form,
        lost=lost,
        unchanged=unchanged,
        new_attempt=lambda: secrets.token_urlsafe(24),
    )


def _names(page: GuildPage) -> dict[str, str]:
    """The names of the channels by their IDs, as forms hold them."""
    return {str(channel.id): channel.name for channel in page.channels}
