"""`/account`: who I am, and where I am signed in."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict

from bongsu.runtime.errors import Invalid, NotFound
from bongsu_dashboard.accounts.port import Accounts
from bongsu_dashboard.accounts.schemas import ProfileForm, User
from bongsu_dashboard.forms import Draft, HxDraft, HxForm
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn
from bongsu_dashboard.pages.rendering import Render


class EndForm(BaseModel):
    """Nothing but the form's own token."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def create_router(accounts: Accounts) -> APIRouter:
    """The routes, for who is signed in."""
    router = APIRouter(prefix="/account", include_in_schema=False)

    async def page(render: Render, user: User, form: Draft[ProfileForm], status: int = 200) -> Response:
        return render(
            "accounts/account.html",
            status=status,
            form=form,
            account=user,
            sessions=await accounts.sessions(render.browser),
        )

    @router.get("")
    async def account(render: Rendering, user: SignedIn) -> Response:
        return await page(render, user, Draft())

    @router.post("/profile")
    async def profile(render: Rendering, user: SignedIn, form: HxDraft[ProfileForm]) -> Response:
        if form.model is None:
            return await page(render, user, form, 422)
        try:
            await accounts.update(render.browser, {"name": form.model.name or None, "locale": form.model.locale})
        except Invalid as error:
            return await page(render, user, form.refused_by(error), 422)
        return render.remember(render.redirect("/account", flash="ok.saved"), language=form.model.locale)

    @router.post("/sessions/end-others")
    async def end_others(render: Rendering, _user: SignedIn, _form: HxForm[EndForm]) -> Response:
        await accounts.end_other_sessions(render.browser)
        return render.redirect("/account", flash="ok.sessions_ended")

    @router.post("/sessions/{session_id}/end")
    async def end(
        render: Rendering, _user: SignedIn, _form: HxForm[EndForm], session_id: Annotated[UUID, Path()]
    ) -> Response:
        try:
            await accounts.end_session(render.browser, session_id)
        except NotFound:
            # It ended meanwhile, which is what was asked for.
            return render.redirect("/account", flash="note.session_gone")
        return render.redirect("/account", flash="ok.session_ended")

    return router
