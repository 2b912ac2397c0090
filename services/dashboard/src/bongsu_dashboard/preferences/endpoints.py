"""`/preferences/…`: the switches in every page's foot."""

import contextlib

from fastapi import APIRouter, Response

from bongsu.runtime.errors import ServiceError
from bongsu_dashboard.accounts.port import Accounts
from bongsu_dashboard.forms import HxForm
from bongsu_dashboard.pages.dependencies import MaybeSignedIn, Rendering
from bongsu_dashboard.preferences.schemas import LanguageForm, ThemeForm


def create_router(accounts: Accounts) -> APIRouter:
    """The routes for everyone."""
    router = APIRouter(prefix="/preferences", include_in_schema=False)

    @router.post("/theme")
    async def theme(render: Rendering, form: HxForm[ThemeForm]) -> Response:
        return render.remember(render.redirect(render.here), theme=form.theme)

    @router.post("/language")
    async def language(render: Rendering, user: MaybeSignedIn, form: HxForm[LanguageForm]) -> Response:
        if user is not None and user.locale != form.language:
            # The mails of the account follow; the page does, whether or not that works now.
            with contextlib.suppress(ServiceError):
                await accounts.update(render.browser, {"locale": form.language})
        return render.remember(render.redirect(render.here), language=form.language)

    return router
