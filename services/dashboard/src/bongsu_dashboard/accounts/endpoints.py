"""`/account`: profile, sessions, linked accounts and activity."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import NotFound
from bongsu_dashboard.accounts.schemas import LinkForm, ProfileForm
from bongsu_dashboard.accounts.service import Accounts, flash_of_linking
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.errors import ConfirmationRequired
from bongsu_dashboard.forms import Draft, Form, FormError, HxDraft, HxForm
from bongsu_dashboard.pages.addresses import safe_path, with_next
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/account", include_in_schema=False)

AccountsService = Annotated[Accounts, Provided(Accounts)]
Provider = Annotated[str, Path(pattern="^[a-z]{2,20}$")]


@router.get("")
async def show_account(
    render: Rendering, user: SignedIn, accounts: AccountsService, linked: str | None = None, error: str | None = None
) -> Response:
    if linked is not None or error is not None:
        return render.redirect("/account", flash=flash_of_linking(error))
    return await _account_page(render, user, accounts, Draft())


@router.get("/activity")
async def show_activity(
    render: Rendering, _user: SignedIn, accounts: AccountsService, after: UUID | None = None
) -> Response:
    page = await accounts.list_events(render.browser, after)
    return render("accounts/activity.html", events=page.items, following=page.next)


@router.post("/profile")
async def save_profile(
    render: Rendering, user: SignedIn, accounts: AccountsService, form: HxDraft[ProfileForm]
) -> Response:
    try:
        profile = form.accept()
        await accounts.update_profile(render.browser, profile)
    except FormError as error:
        return await _account_page(render, user, accounts, form.refused_by(error), status_of(error))
    return render.remember(render.redirect("/account", flash="ok.saved"), language=profile.locale)


@router.post("/sessions/end-others")
async def end_other_sessions(
    render: Rendering, _user: SignedIn, accounts: AccountsService, _form: HxForm[Form]
) -> Response:
    await accounts.end_other_sessions(render.browser)
    return render.redirect("/account", flash="ok.sessions_ended")


@router.post("/sessions/{session_id}/end")
async def end_session(
    render: Rendering, _user: SignedIn, accounts: AccountsService, _form: HxForm[Form], session_id: UUID
) -> Response:
    try:
        await accounts.end_session(render.browser, session_id)
    except NotFound:
        return render.redirect("/account", flash="note.session_gone")
    return render.redirect("/account", flash="ok.session_ended")


@router.post("/link/{provider}")
async def link(
    render: Rendering, _user: SignedIn, accounts: AccountsService, form: HxForm[LinkForm], provider: Provider
) -> Response:
    redirect = await accounts.start_linking(render.browser, provider, safe_path(form.next, "/account"))
    return render.pass_on(render.redirect(redirect.url), redirect.cookies)


@router.post("/unlink/{provider}")
async def unlink(
    render: Rendering, _user: SignedIn, accounts: AccountsService, _form: HxForm[Form], provider: Provider
) -> Response:
    try:
        flash = await accounts.unlink(render.browser, provider)
    except ConfirmationRequired:
        return render.redirect(with_next("/account/confirm", "/account"))
    return render.redirect("/account", flash=flash)


async def _account_page(
    render: Render, user: User, accounts: Accounts, form: Draft[ProfileForm], status: int = 200
) -> Response:
    overview = await accounts.load_overview(render.browser)
    return render("accounts/account.html", status=status, form=form, account=user, overview=overview)
