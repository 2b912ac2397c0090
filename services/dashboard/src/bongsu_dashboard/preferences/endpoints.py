"""`/preferences`: the switches in every page's footer."""

import contextlib
from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import ServiceError
from bongsu_dashboard.accounts.service import Accounts
from bongsu_dashboard.forms import HxForm
from bongsu_dashboard.pages.dependencies import MaybeSignedIn, Rendering
from bongsu_dashboard.preferences.schemas import LanguageForm, ThemeForm

router = APIRouter(prefix="/preferences", include_in_schema=False)


@router.post("/theme")
async def set_theme(render: Rendering, form: HxForm[ThemeForm]) -> Response:
    return render.remember(render.redirect(render.here), theme=form.theme)


@router.post("/language")
async def set_language(
    render: Rendering,
    user: MaybeSignedIn,
    accounts: Annotated[Accounts, Provided(Accounts)],
    form: HxForm[LanguageForm],
) -> Response:
    if user is not None and user.locale != form.language:
        # The page follows the choice even if auth cannot store it for the account's mails.
        with contextlib.suppress(ServiceError):
            await accounts.update_locale(render.browser, form.language)
    return render.remember(render.redirect(render.here), language=form.language)
