"""`/account`: who I am, and where I am signed in."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict

from bongsu.runtime.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from bongsu_dashboard.accounts import linking
from bongsu_dashboard.accounts.port import Accounts
from bongsu_dashboard.accounts.schemas import LinkForm, ProfileForm
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.forms import Draft, FieldProblem, HxDraft, HxForm
from bongsu_dashboard.pages.addresses import safe_path
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn
from bongsu_dashboard.pages.rendering import Render

Provider = Annotated[str, Path(pattern="^[a-z]{2,20}$")]


class EndForm(BaseModel):
    """Nothing but the form's own token."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def create_router(accounts: Accounts) -> APIRouter:
    """The routes, for who is signed in."""
    router = APIRouter(prefix="/account", include_in_schema=False)

    async def page(render: Render, user: User, form: Draft[ProfileForm], status: int = 200) -> Response:
        sessions, identities, providers = await asyncio.gather(
            accounts.sessions(render.browser), accounts.identities(render.browser), accounts.providers()
        )
        return render(
            "accounts/account.html",
            status=status,
            form=form,
            account=user,
            sessions=sessions,
            identities=identities,
            linkable=[name for name in providers if name not in {one.provider for one in identities}],
        )

    @router.get("")
    async def account(
        render: Rendering, user: SignedIn, linked: str | None = None, error: str | None = None
    ) -> Response:
        if linked is not None or error is not None:
            return render.redirect("/account", flash=linking.flash_of(error))
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

    _add_linking(router, accounts)
    return router


def _add_linking(router: APIRouter, accounts: Accounts) -> None:
    @router.post("/link/{provider}")
    async def link(render: Rendering, _user: SignedIn, form: HxDraft[LinkForm], provider: Provider) -> Response:
        """To the provider; by way of the password, where the sign-in is too long ago."""
        to = safe_path(form.value("next"), "/account")
        password = form.model.password.get_secret_value() if form.model is not None else ""

        def confirm(*problems: FieldProblem, status: int) -> Response:
            shown = form.refused(*problems)
            return render("accounts/confirm.html", status=status, form=shown, provider=provider, next=to)

        try:
            if password:
                await accounts.reauthenticate(render.browser, password)
            departure = await accounts.link(render.browser, provider, to)
        except TooMany as error:
            facts = {"seconds": round(error.retry_after_s or 60)}
            return confirm(FieldProblem("", "too_many_logins", facts), status=429)
        except Conflict:
            return confirm(FieldProblem("", "no_password"), status=409)
        except Forbidden as error:
            if error.code == "reauthentication_required":
                return confirm(status=403)
            return confirm(FieldProblem("password", "wrong_password"), status=403)
        return render.pass_on(render.redirect(departure.url), departure.cookies)
